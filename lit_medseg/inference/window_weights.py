"""How much each voxel of a window counts in the average over the windows."""

from collections.abc import Sequence

import torch
from torch import Tensor

from lit_medseg.inference.window_grid import Corner, WindowGrid

SIGMA = 0.125
"""Standard deviation of the Gaussian as a share of the window's side."""
LEAST = 1e-3
"""No voxel counts less than this, or the image's corners would divide zero by zero."""


def gaussian_weights(patch: Sequence[int], device: torch.device) -> Tensor:
    """Weigh a window's centre by 1 and its border by little: there the network sees least of the surroundings.

    Source: Isensee et al., nnU-Net, 2021, doi:10.1038/s41592-020-01008-z (sigma an eighth of the side); the floor and
    the order of the products are those of `monai.data.utils.compute_importance_map`.

    Args:
        patch: Sides of a window.
        device: Where the weights are needed.

    Returns:
        `(*patch)` float32 in [`LEAST`, 1].
    """
    weights = torch.ones((), device=device)
    for side in patch:
        distance = torch.arange(-(side - 1) / 2, (side - 1) / 2 + 1, device=device)
        weights = weights.unsqueeze(-1) * torch.exp(distance**2 / (-2 * (SIGMA * side) ** 2))
    return weights.clamp_(min=max(float(weights.min()), LEAST))


class WindowWeights:
    """The weights of every window as shares: at each voxel, the shares of the windows that cover it sum to one.

    A sum of windows is an average then, without a second map of what the weights sum to, and no sum exceeds the largest
    logit.
    """

    def __init__(self, grid: WindowGrid, device: torch.device) -> None:
        """Compute the weights of a lone window.

        Args:
            grid: Where the windows lie.
            device: Where the shares are needed.
        """
        self._grid = grid
        self._alone = gaussian_weights(grid.patch, device)
        self._sums: dict[int, tuple[tuple[tuple[int, ...], ...], Tensor]] = {}

    def shares(self, corner: Corner) -> Tensor:
        """Divide a window's weights by the sum of all windows' there.

        Args:
            corner: Of the window.

        Returns:
            `(*patch)` float32 in (0, 1].
        """
        return self._alone / self._total(corner)

    def _total(self, corner: Corner) -> Tensor:
        """Sum the weights of all windows, axis by axis: what holds for a whole layer or row is computed once."""
        grid, total = self._grid, self._alone
        key: tuple[tuple[int, ...], ...] = ()
        for axis in grid.order:
            here, side = corner[axis], grid.patch[axis]
            key = (*key, tuple(start - here for start in grid.starts[axis] if abs(start - here) < side))
            known = self._sums.get(axis)
            if known is None or known[0] != key:
                known = self._sums[axis] = (key, _shifted_sum(total, axis, key[-1]))
            total = known[1]
        return total


def _shifted_sum(weights: Tensor, axis: int, offsets: tuple[int, ...]) -> Tensor:
    """Sum copies that are shifted along an axis, cut to the grid of the original."""
    total = torch.zeros_like(weights)
    for offset in offsets:
        common = weights.shape[axis] - abs(offset)
        total.narrow(axis, max(0, offset), common).add_(weights.narrow(axis, max(0, -offset), common))
    return total
