"""The greatest distance between two voxels of a mask."""

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import ConvexHull
from scipy.spatial.distance import cdist

_BLOCK = 2000
"""Points compared at once with all others."""


def largest_diameter_mm(mask: NDArray[np.bool_], spacing_mm: tuple[float, ...]) -> float:
    """Measure the maximum Feret diameter between voxel centres, exactly.

    The two ends are corners of the convex hull. Only the first and last voxel of each row can be corners, so the hull
    is made of few points; where all lie in a plane or on a line it is made in that.

    Args:
        mask: `(*S)` bool, two or three dimensions.
        spacing_mm: Distance of voxel centres along each axis.

    Returns:
        In mm; 0.0 for one voxel, NaN for an empty mask.
    """
    if not mask.any():
        return float("nan")
    corners = _corners(_row_ends(mask)) * np.asarray(spacing_mm, dtype=np.float64)
    starts = range(0, len(corners), _BLOCK)
    return float(max(cdist(corners[start : start + _BLOCK], corners).max() for start in starts))


def _row_ends(mask: NDArray[np.bool_]) -> NDArray[np.intp]:
    """The indices `(n, axes)` of the first and the last voxel of each row along the last axis."""
    rows = np.argwhere(mask.any(axis=-1))
    lines = mask[tuple(rows.T)]
    first, last = lines.argmax(axis=-1), lines.shape[-1] - 1 - lines[:, ::-1].argmax(axis=-1)
    ends = np.concatenate([np.column_stack([rows, first]), np.column_stack([rows, last])])
    return np.unique(ends, axis=0)


def _corners(points: NDArray[np.intp]) -> NDArray[np.intp]:
    """Leave out points that are surely no corners of the convex hull."""
    axes = _independent_axes(points)
    if not axes:
        return points[:1]
    along = points[:, axes]
    if len(axes) == 1:
        return points[[along[:, 0].argmin(), along[:, 0].argmax()]]
    return points[ConvexHull(along).vertices] if len(points) > 3 * len(axes) else points


def _independent_axes(points: NDArray[np.intp]) -> list[int]:
    """The axes on whose projection the points keep their dimension: corners there are corners in space."""
    steps, axes = points - points[0], list[int]()
    for axis in range(points.shape[1]):
        if np.linalg.matrix_rank(steps[:, [*axes, axis]]) > len(axes):
            axes.append(axis)
    return axes
