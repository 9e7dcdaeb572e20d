"""Whether two volumes lie on one grid, and a mask written in another orientation of it."""

import math
from itertools import product

import numpy as np
from numpy.typing import NDArray

from lit_medseg.errors import DataError, expected_got
from lit_medseg.imaging.volume import Volume, placed_volume

GRID_TOLERANCE = 0.2  # of the smallest spacing: software that rounds its rotation stays below, half a voxel does not


def grid_difference_mm(a: Volume, b: Volume) -> float:
    """Measure how far two grids are apart.

    Args:
        a: A volume.
        b: Another one.

    Returns:
        The greatest distance in millimetres between the centres of corresponding corner voxels, which bounds that of
        all voxels; `inf` where the shapes differ or only one of them has a place in space; 0.0 where neither has one.
    """
    if a.grid != b.grid or (a.affine is None) != (b.affine is None):
        return math.inf
    if a.affine is None or b.affine is None:
        return 0.0
    ends = [(0, size - 1) for size in (*a.grid, *(1,) * (3 - len(a.grid)))]
    corners = np.array([(*corner, 1) for corner in product(*ends)], np.float64)
    return float(np.linalg.norm(corners @ (a.affine - b.affine).T, axis=1).max())


def grid_tolerance_mm(reference: Volume) -> float:
    """The distance up to which two grids count as one: `GRID_TOLERANCE` of the smallest spacing."""
    return GRID_TOLERANCE * min(reference.spacing_mm)


def onto_grid(mask: Volume, reference: Volume, where: str) -> Volume:
    """Bring a mask onto a reference's grid without interpolation.

    Args:
        mask: `(C, *S)`.
        reference: The volume that it belongs to.
        where: What errors call the mask.

    Returns:
        The mask as it is where the grids agree within `grid_tolerance_mm`; with its axes permuted and flipped where it
        is the same grid written in another orientation.

    Raises:
        DataError: Another grid, with the difference in millimetres.
    """
    allowed_mm = grid_tolerance_mm(reference)
    if grid_difference_mm(mask, reference) <= allowed_mm:
        return mask
    turned = _turned_like(mask, reference)
    difference_mm = grid_difference_mm(turned, reference)
    if difference_mm <= allowed_mm:
        return turned
    raise DataError(_another_grid(turned, reference, difference_mm, where))


def _turned_like(mask: Volume, reference: Volume) -> Volume:
    """Permute and flip the axes so that they point the way of the reference's; as it is where there is no such way."""
    if mask.affine is None or reference.affine is None or len(mask.grid) != 3:
        return mask
    directions = _unit_columns(reference.affine).T @ _unit_columns(mask.affine)  # reference axis by mask axis
    order = [int(axis) for axis in np.argmax(np.abs(directions), axis=1)]
    if sorted(order) != [0, 1, 2]:
        return mask
    array = mask.array.transpose(0, *(axis + 1 for axis in order))
    affine = mask.affine[:, [*order, 3]].copy()
    for place, axis in enumerate(order):
        if directions[place, axis] < 0:
            array = np.flip(array, place + 1)
            affine[:3, 3] += affine[:3, place] * (array.shape[place + 1] - 1)
            affine[:3, place] *= -1
    return placed_volume(np.ascontiguousarray(array), affine)


def _unit_columns(affine: NDArray[np.float64]) -> NDArray[np.float64]:
    directions: NDArray[np.float64] = affine[:3, :3] / np.linalg.norm(affine[:3, :3], axis=0)
    return directions


def _another_grid(mask: Volume, reference: Volume, difference_mm: float, where: str) -> str:
    what = "the mask lies on another grid than its image"
    todo = "Resample the mask onto its image, label-wise, or correct its header"
    if mask.grid != reference.grid:
        return expected_got(where, what, f"the shape {reference.grid}", mask.grid, todo)
    if math.isinf(difference_mm):
        text = "a mask without a place in space" if mask.affine is None else "an image without one"
        return expected_got(where, what, "both with a place in space, or neither", text, todo)
    allowed_mm = grid_tolerance_mm(reference)
    got = f"corners {difference_mm:.3g} mm apart"
    return expected_got(where, what, f"at most {allowed_mm:.3g} mm between corresponding voxels", got, todo)
