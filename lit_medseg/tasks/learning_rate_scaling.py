"""Learning rates that follow the batch size."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from torch.optim import Optimizer

from lit_medseg.errors import ConfigError, expected_got


@dataclass(frozen=True)
class LearningRateScaling:
    """Multiplies the optimizer's learning rates by how much larger the batch is than the one they were chosen for.

    Source: `linear`: Goyal et al. 2017 (arXiv:1706.02677), section 2.1, for SGD, together with a warm-up
    (`WarmupCosine`). `square_root`: Krizhevsky 2014 (arXiv:1404.5997), section 3.2, which keeps the variance of the
    step; for Adam see Malladi et al. 2022 (arXiv:2205.10287).

    Attributes:
        reference_batch: Samples of an optimizer step for which the YAML's learning rate is right.
        rule: `linear` or `square_root`.
    """

    reference_batch: int
    rule: Literal["linear", "square_root"] = "linear"

    def factor(self, batch_size: int, accumulated: int = 1) -> float:
        """Give the factor of the learning rate.

        Args:
            batch_size: Over all processes, as in `data.loading`.
            accumulated: Batches of an optimizer step, as in `trainer.accumulate_grad_batches`.

        Raises:
            ConfigError: The reference is below 1.
        """
        if self.reference_batch < 1:
            got, todo = self.reference_batch, "Give the batch size that the learning rate was chosen for"
            raise ConfigError(expected_got("learning_rate.reference_batch", "out of range", "1 or more", got, todo))
        ratio = batch_size * accumulated / self.reference_batch
        return ratio if self.rule == "linear" else math.sqrt(ratio)


def check_scheduler_keeps(optimizer: Optimizer, rates: Sequence[float]) -> None:
    """Refuse a scheduler that brings learning rates of its own, which no scaling reaches.

    Args:
        optimizer: With its scheduler built.
        rates: The learning rates of its groups before.

    Raises:
        ConfigError: They are others now.
    """
    found = [float(group.get("initial_lr", rate)) for group, rate in zip(optimizer.param_groups, rates, strict=True)]
    if any(not math.isclose(one, rate) for one, rate in zip(found, rates, strict=True)):
        what = "the scheduler sets learning rates of its own, which are not scaled"
        todo = "Scale the scheduler's rates yourself and leave learning_rate out, or take another scheduler"
        raise ConfigError(expected_got("learning_rate", what, f"first rates {list(rates)}", found, todo))
