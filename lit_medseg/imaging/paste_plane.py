"""Put a plane of a mask where it lies within a volume's grid, without interpolation."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lit_medseg.errors import DataError, expected_got
from lit_medseg.imaging.same_grid import grid_tolerance_mm
from lit_medseg.imaging.volume import Volume

TODO = "Check that the mask was drawn on this image, or write it again on the image's grid"


@dataclass(frozen=True)
class PlanePlace:
    """Where a plane's pixels lie in a volume.

    Attributes:
        axes: The volume's axes that the plane's normal, rows and columns run along.
        across: Index along the normal.
        rows: Index of each row.
        columns: Index of each column.
    """

    axes: tuple[int, int, int]
    across: int
    rows: NDArray[np.int_]
    columns: NDArray[np.int_]


def plane_place(plane: NDArray[np.float64], shape: tuple[int, int], reference: Volume, where: str) -> PlanePlace:
    """Find a plane's place.

    Args:
        plane: 4x3 matrix: (row, column, 1) to RAS+ mm, homogeneous.
        shape: Rows and columns.
        reference: With an affine.
        where: What errors call the mask.

    Returns:
        The place; its indices may lie outside of the volume.

    Raises:
        DataError: A pixel centre lies further from any voxel centre than `grid_tolerance_mm`, or the reference has no
            place in space.
    """
    if reference.affine is None:
        raise DataError(expected_got(where, "the image has no place in space", "an affine", "none", TODO))
    steps = np.linalg.solve(reference.affine, plane)[:3]  # voxel indices of a row's step, a column's step, the origin
    row_axis, column_axis = (int(np.abs(steps[:, place]).argmax()) for place in (0, 1))
    origin = np.rint(steps[:, 2]).astype(int)
    axis = 3 - row_axis - column_axis
    if row_axis == column_axis:
        raise DataError(expected_got(where, "the mask lies askew to its image", "parallel axes", "others", TODO))
    signs = [int(np.sign(steps[row_axis, 0])), int(np.sign(steps[column_axis, 1]))]
    snapped = np.zeros((4, 3))
    snapped[row_axis, 0], snapped[column_axis, 1] = signs
    snapped[:3, 2], snapped[3, 2] = origin, 1
    _check(reference.affine @ snapped - plane, shape, reference, where)
    rows = origin[row_axis] + signs[0] * np.arange(shape[0])
    columns = origin[column_axis] + signs[1] * np.arange(shape[1])
    return PlanePlace((axis, row_axis, column_axis), int(origin[axis]), rows, columns)


def paste_plane(inside: NDArray[np.bool_], place: PlanePlace, codes: NDArray[np.generic], where: str) -> "Pasted":
    """Find the part of a volume that a plane covers.

    Args:
        inside: `(rows, columns)` of the plane.
        place: Where it lies.
        codes: `(D, H, W)`.
        where: What errors call the mask.

    Returns:
        A view of the volume's plane, and `inside` in its pixels.

    Raises:
        DataError: Pixels of the mask lie outside of the volume.
    """
    shape = tuple(codes.shape[axis] for axis in place.axes)
    rows, columns = _within(place.rows, shape[1]), _within(place.columns, shape[2])
    kept = inside[np.ix_(rows, columns)] if 0 <= place.across < shape[0] else inside[:0]
    if kept.sum() != inside.sum():
        got = f"{int(inside.sum() - kept.sum())} pixels outside of its {codes.shape} voxels"
        raise DataError(expected_got(where, "the mask reaches outside of its image", "all of it inside", got, TODO))
    if not kept.any():
        return Pasted(np.zeros((0, 0), codes.dtype), np.zeros((0, 0), bool))
    plane = np.moveaxis(codes, place.axes, (0, 1, 2))[place.across]
    whole = np.zeros(plane.shape, bool)
    whole[np.ix_(place.rows[rows], place.columns[columns])] = kept
    return Pasted(plane, whole)


@dataclass(frozen=True)
class Pasted:
    """A view of a volume's plane, and which of its voxels a mask covers; both empty where it covers none."""

    plane: NDArray[np.generic]
    inside: NDArray[np.bool_]


def _within(indices: NDArray[np.int_], size: int) -> NDArray[np.bool_]:
    return (indices >= 0) & (indices < size)


def _check(difference: NDArray[np.float64], shape: tuple[int, int], reference: Volume, where: str) -> None:
    """Refuse a plane whose corner pixels lie beside voxel centres."""
    corners = np.array([(row, column, 1) for row in (0, shape[0] - 1) for column in (0, shape[1] - 1)], np.float64)
    worst_mm = float(np.linalg.norm(corners @ difference.T, axis=1).max())
    allowed_mm = grid_tolerance_mm(reference)
    if worst_mm > allowed_mm:
        expected, got = f"at most {allowed_mm:.3g} mm between pixels and voxels", f"{worst_mm:.3g} mm"
        raise DataError(expected_got(where, "the mask lies on another grid than its image", expected, got, TODO))
