"""Smooth displacements from a few control points."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor


@dataclass(frozen=True)
class Bend:
    """Displacements as uniform cubic B-splines.

    Source: Rueckert et al. 1999, doi:10.1109/42.796284, equation 4.

    Attributes:
        control: `(axes, *points)`, displacement in voxels along each axis.
        steps: Intervals of control points from one voxel to the next, along each axis.
    """

    control: NDArray[np.float64]
    steps: tuple[float, ...]

    @property
    def reach(self) -> NDArray[np.float64]:
        """Greatest displacement along each axis, in voxels: a spline is a mean of its control points."""
        greatest: NDArray[np.float64] = np.abs(self.control).reshape(len(self.steps), -1).max(axis=1)
        return greatest

    def field(self, size: Sequence[int], device: torch.device) -> list[Tensor]:
        """Spread the control points over a patch, one axis after the other.

        Args:
            size: Of the patch.
            device: Where the result is.

        Returns:
            For each axis the displacement `(*size)` in voxels, float32.
        """
        spread = _moved(self.control, device)
        for axis, (side, step) in enumerate(zip(size, self.steps, strict=True)):
            weights = _moved(weight_matrix(side, self.control.shape[axis + 1], step), device)
            spread = torch.movedim(torch.tensordot(weights, spread, dims=([1], [axis + 1])), 0, axis + 1)
        return list(spread.contiguous())


def weight_matrix(side: int, points: int, step: float) -> NDArray[np.float64]:
    """Give the share of every control point in every voxel of an axis.

    Args:
        side: Voxels.
        points: Control points, at least four; there are `points - 3` intervals.
        step: Intervals from one voxel to the next; the first voxel lies at the start of the first interval.

    Returns:
        `(side, points)`; every row sums to 1.
    """
    place = np.minimum(np.arange(side) * step, points - 3)
    first = np.minimum(place.astype(int), points - 4)
    part = place - first
    shares = [
        (1 - part) ** 3 / 6,
        (3 * part**3 - 6 * part**2 + 4) / 6,
        (-3 * part**3 + 3 * part**2 + 3 * part + 1) / 6,
        part**3 / 6,
    ]
    matrix = np.zeros((side, points))
    for shift, share in enumerate(shares):
        matrix[np.arange(side), first + shift] = share
    return matrix


def _moved(array: NDArray[np.float64], device: torch.device) -> Tensor:
    """Give a float32 tensor on the device, without waiting for it."""
    return torch.from_numpy(array.astype(np.float32)).to(device, non_blocking=True)
