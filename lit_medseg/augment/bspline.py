"""Smooth displacements from a few control points."""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor


def bend(control: NDArray[np.float64], size: Sequence[int], device: torch.device) -> list[Tensor]:
    """Spread control points over a patch: uniform cubic B-splines, one axis after the other.

    The displacement is a mean of control points, so it never exceeds the greatest.
    Source: Rueckert et al. 1999, doi:10.1109/42.796284, equation 4.

    Args:
        control: `(axes, *points)`, at least four points along each axis.
        size: Of the patch.
        device: Where the result is.

    Returns:
        For each axis the displacement `(*size)`, float32, in the unit of the control points.
    """
    field = torch.from_numpy(control).to(device=device, dtype=torch.float32)
    for axis, side in enumerate(size):
        weights = torch.from_numpy(weight_matrix(side, control.shape[axis + 1])).to(field)
        field = torch.movedim(torch.tensordot(weights, field, dims=([1], [axis + 1])), 0, axis + 1)
    return list(field.contiguous())


def weight_matrix(side: int, points: int) -> NDArray[np.float64]:
    """Give the share of every control point in every voxel of an axis.

    Args:
        side: Voxels.
        points: Control points: the voxels span `points - 3` intervals.

    Returns:
        `(side, points)`; every row sums to 1.
    """
    place = np.linspace(0, points - 3, side) if side > 1 else np.zeros(1)
    first = np.minimum(place.astype(int), points - 4)
    part = place - first
    shares = [
        (1 - part) ** 3 / 6,
        (3 * part**3 - 6 * part**2 + 4) / 6,
        (-3 * part**3 + 3 * part**2 + 3 * part + 1) / 6,
        part**3 / 6,
    ]
    matrix = np.zeros((side, points))
    for step, share in enumerate(shares):
        matrix[np.arange(side), first + step] = share
    return matrix
