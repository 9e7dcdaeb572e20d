"""A loss at several resolutions of one network."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from typing_extensions import override

from lit_medseg.errors import ConfigError, expected_got
from lit_medseg.losses.composite_loss import CompositeLoss, loss_and_terms

Levels = Tensor | Sequence[Tensor]


class DeepSupervision(CompositeLoss):
    """Weighs any loss over the levels of a network with deep supervision.

    The codes are brought to each level's grid by the nearest voxel, so that no class is made up. One tensor, as
    networks give in evaluation, has the plain loss.

    Source: Lee et al., Deeply-Supervised Nets, 2015, arXiv:1409.5185; halved weights: Isensee et al., nnU-Net, 2021,
    doi:10.1038/s41592-020-01008-z (which leaves the coarsest level out: give `weights` with a 0 for that).
    """

    takes_levels = True

    def __init__(self, loss: nn.Module, weights: list[float] | None = None) -> None:
        """Wrap a loss.

        Args:
            loss: Called as `loss(logits, codes)`; the YAML gives it by class path.
            weights: One number >= 0 a level, the finest first; they are divided by their sum. None for 1, 1/2, 1/4, ...

        Raises:
            ConfigError: A weight is negative, or all are zero.
        """
        super().__init__()
        if weights is not None and (min(weights, default=-1.0) < 0 or sum(weights) == 0):
            todo = "Leave them out to halve them from level to level"
            raise ConfigError(expected_got("deep supervision: weights", "unusable", ">= 0, one > 0", weights, todo))
        self.loss = loss
        self.weights = weights

    @override
    def terms(self, logits: Levels, codes: Tensor) -> dict[str, Tensor]:
        """Compute the terms of the wrapped loss, or `loss` where it has none, each summed over the levels.

        Args:
            logits: Levels `(B, C, *s)`, the finest first, or one tensor `(B, C, *S)`; a tensor `(B, levels, C, *S)` as
                MONAI's DynUNet gives is taken apart where the classes exclude each other.
            codes: At full resolution, as `coded_planes` takes them.

        Raises:
            ConfigError: There are more or fewer levels than weights.
        """
        levels = self._levels(logits, codes)
        total: dict[str, Tensor] = {}
        for level, weight in zip(levels, self._shares(len(levels)), strict=True):
            for name, term in self._terms(level, at_grid(codes, level.shape[2:])).items():
                total[name] = total[name] + weight * term if name in total else weight * term
        return total

    @override
    def forward(self, logits: Levels, codes: Tensor) -> Tensor:
        """Sum the terms."""
        return torch.stack(list(self.terms(logits, codes).values())).sum()

    def _levels(self, logits: Levels, codes: Tensor) -> list[Tensor]:
        if not isinstance(logits, Tensor):
            return list(logits)
        return list(logits.unbind(1)) if logits.ndim == codes.ndim + 2 else [logits]

    def _shares(self, count: int) -> list[float]:
        if count == 1:
            return [1.0]
        weights = [0.5**level for level in range(count)] if self.weights is None else self.weights
        if len(weights) != count:
            todo = "Give one weight a level, or leave them out"
            raise ConfigError(expected_got("deep supervision: weights", "wrong number", count, len(weights), todo))
        return [weight / sum(weights) for weight in weights]

    def _terms(self, logits: Tensor, codes: Tensor) -> dict[str, Tensor]:
        if isinstance(self.loss, CompositeLoss):
            return self.loss.terms(logits, codes)
        return {"loss": loss_and_terms(self.loss, logits, codes)[0]}


def at_grid(codes: Tensor, grid: Sequence[int]) -> Tensor:
    """Take the nearest voxel's code on a coarser grid of the same extent.

    Args:
        codes: `(..., *S)` integers.
        grid: Sides of the coarser grid, as many as S has.

    Returns:
        `(..., *grid)`; the same tensor where the grid is the codes' own.
    """
    for axis, side in zip(range(codes.ndim - len(grid), codes.ndim), grid, strict=True):
        own = codes.shape[axis]
        if own != side:
            centres = (torch.arange(side, device=codes.device) * 2 + 1) * own // (2 * side)
            codes = codes.index_select(axis, centres)
    return codes
