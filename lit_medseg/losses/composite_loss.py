"""Losses that are sums of named terms."""

from abc import ABC, abstractmethod

import torch
from torch import Tensor, nn


class CompositeLoss(nn.Module, ABC):
    """A loss that is the sum of its terms, which a task logs as `train/loss/<name>`."""

    @abstractmethod
    def terms(self, logits: Tensor, codes: Tensor) -> dict[str, Tensor]:
        """Compute the terms by name; scalars, already weighted: their sum is the loss."""

    def forward(self, logits: Tensor, codes: Tensor) -> Tensor:
        """Sum the terms."""
        return torch.stack(list(self.terms(logits, codes).values())).sum()


def loss_and_terms(loss: nn.Module, logits: Tensor, codes: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
    """Compute a loss, and its terms without computing them twice.

    Args:
        loss: Any module that is called as `loss(logits, codes)`.
        logits: `(B, C, *S)`.
        codes: As `coded_planes` takes them.

    Returns:
        The loss to differentiate, and the detached terms of a `CompositeLoss`; no terms of any other loss.
    """
    if not isinstance(loss, CompositeLoss):
        total: Tensor = loss(logits, codes)
        return total, {}
    terms = loss.terms(logits, codes)
    return torch.stack(list(terms.values())).sum(), {name: term.detach() for name, term in terms.items()}
