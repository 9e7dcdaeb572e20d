"""Linear warm-up, then half a cosine down."""

import math

from torch.optim import Optimizer

from lit_medseg.errors import ConfigError
from lit_medseg.tasks.step_schedule import StepSchedule


class WarmupCosine(StepSchedule):
    """Linear warm-up to the peak rate, then cosine annealing.

    Source: Goyal et al. 2017 (arXiv:1706.02677) for the warm-up, Loshchilov and Hutter 2017 (arXiv:1608.03983), eq. 5
    without restarts, for the cosine.
    """

    def __init__(self, optimizer: Optimizer, warmup: float = 0.05, final: float = 0.0) -> None:
        """Plan the shape.

        Args:
            optimizer: Its rates are the peak rates.
            warmup: Share of all steps spent warming up, in [0, 1).
            final: Factor at the end, in [0, 1].

        Raises:
            ConfigError: A share is out of its range.
        """
        if not 0 <= warmup < 1 or not 0 <= final <= 1:
            raise ConfigError(
                "lr_scheduler: shares out of range, expected 0 <= warmup < 1 and 0 <= final <= 1, "
                f"got {warmup}, {final}. Correct them."
            )
        self.warmup = warmup
        self.final = final
        super().__init__(optimizer)

    def factor(self, step: int, total_steps: int) -> float:
        """Rise from one step's share to 1, then fall to `final`."""
        rising = self.warmup * total_steps
        if step < rising:
            return (step + 1) / (rising + 1)
        progress = (step - rising) / max(1.0, total_steps - rising)
        return self.final + (1 - self.final) * 0.5 * (1 + math.cos(math.pi * progress))
