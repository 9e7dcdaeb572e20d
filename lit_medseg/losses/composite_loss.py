"""Losses that are sums of named terms."""

from abc import ABC, abstractmethod
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from lit_medseg.errors import ConfigError, expected_got


class CompositeLoss(nn.Module, ABC):
    """A loss that is the sum of its terms, which a task logs as `train/loss/<name>`."""

    takes_levels = False
    """Whether the levels of deep supervision may come in place of one tensor."""

    @abstractmethod
    def terms(self, logits: Tensor, codes: Tensor) -> dict[str, Tensor]:
        """Compute the terms by name; scalars, already weighted: their sum is the loss."""

    def forward(self, logits: Tensor, codes: Tensor) -> Tensor:
        """Sum the terms."""
        return torch.stack(list(self.terms(logits, codes).values())).sum()


def loss_and_terms(
    loss: nn.Module, logits: Tensor | Sequence[Tensor], codes: Tensor
) -> tuple[Tensor, dict[str, Tensor]]:
    """Compute a loss, and its terms without computing them twice.

    Args:
        loss: Any module that is called as `loss(logits, codes)`.
        logits: `(B, C, *S)`; a list of levels where the loss takes one.
        codes: As `coded_planes` takes them.

    Returns:
        The loss to differentiate, and the detached terms of a `CompositeLoss`; no terms of any other loss.

    Raises:
        ConfigError: Several levels for a loss that takes one tensor.
    """
    if not isinstance(logits, Tensor) and not getattr(loss, "takes_levels", False):
        todo = "Wrap the loss in losses.deep_supervision.DeepSupervision, or set deep_supervision: false"
        raise ConfigError(expected_got("loss", "the network gives several levels", "one tensor", len(logits), todo))
    if not isinstance(loss, CompositeLoss):
        total: Tensor = loss(logits, codes)
        return total, {}
    terms = loss.terms(logits, codes)  # type: ignore[arg-type]  # as its own `takes_levels` says
    return torch.stack(list(terms.values())).sum(), {name: term.detach() for name, term in terms.items()}
