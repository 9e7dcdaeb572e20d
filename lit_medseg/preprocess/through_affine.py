"""An array on any other grid in the same space."""

from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from lit_medseg.preprocess.label_competition import Box, compete

Affine = NDArray[np.float64]


def index_map(source: Affine, target: Affine) -> Affine:
    """Give the 4x4 matrix from an index of the target grid to an index of the source grid; both affines to RAS+ mm."""
    return np.linalg.solve(source, target).astype(np.float64)


def sample_linear(
    array: NDArray[Any], matrix: Affine, grid: tuple[int, ...], outside: NDArray[Any] | float
) -> NDArray[Any]:
    """Read an array at the voxel centres of another grid, linearly; where the source is finer it is smoothed first.

    The smoothing is a Gaussian of the width by which a target voxel exceeds a source voxel.
    Source: Cardoso et al. 2015, doi:10.1007/978-3-319-24571-3_81 (widths as full widths at half maximum).

    Args:
        array: `(C, D, H, W)`; integers are rounded, the dtype stays.
        matrix: See `index_map`.
        grid: The target's shape.
        outside: Value of what lies outside of the source's field of view, one or one a channel.

    Returns:
        `(C, *grid)`.
    """
    beyond = ~_within(matrix, array.shape[1:], grid)
    result = np.empty((len(array), *grid), array.dtype)
    for plane, target, value in zip(array, result, np.broadcast_to(outside, len(array)), strict=True):
        moved = _interpolated(plane.astype(np.float32), matrix, grid)
        target[...] = np.rint(moved) if array.dtype.kind in "iu" else moved
        target[beyond] = value
    return result


def codes_through(array: NDArray[Any], matrix: Affine, grid: tuple[int, ...]) -> NDArray[Any]:
    """Bring codes onto another grid, label by label; see `compete`. What lies outside of the old one becomes 0.

    Args:
        array: `(1, D, H, W)` codes or `(K, D, H, W)` planes of 0 and 1, integers.
        matrix: See `index_map`.
        grid: The target's shape.

    Returns:
        `(C, *grid)` in the same dtype.
    """
    inverse = np.linalg.inv(matrix)
    source, reach = array.shape[1:], int(np.ceil(4 * _sigma(matrix).max())) + 1
    margin = reach * np.ceil(np.abs(inverse[:3, :3]).sum(axis=1)) + 1

    def share(part: NDArray[Any], box: Box) -> tuple[Box, NDArray[np.float32]]:
        corners = np.array([(*corner, 1) for corner in product(*((side.start, side.stop - 1) for side in box))])
        ends = (inverse @ corners.T)[:3]
        low = np.clip(np.floor(ends.min(axis=1) - margin), 0, np.array(grid) - 1).astype(int)
        high = np.clip(np.ceil(ends.max(axis=1) + margin) + 1, low + 1, grid).astype(int)
        here = matrix.copy()
        here[:3, 3] += matrix[:3, :3] @ low
        shape = tuple(int(side) for side in high - low)
        within = _within(here, source, shape)
        here[:3, 3] -= [side.start - reach for side in box]
        moved = _interpolated(_padded(part, box, source, reach), here, shape) * within
        return tuple(slice(int(a), int(b)) for a, b in zip(low, high, strict=True)), moved

    ratio = float(abs(np.linalg.det(matrix[:3, :3])))
    return np.stack([compete(plane, grid, share, ratio) for plane in array])


def _interpolated(plane: NDArray[np.float32], matrix: Affine, grid: tuple[int, ...]) -> NDArray[np.float32]:
    """Smooth where the target is coarser, and interpolate; beyond the source its edge goes on."""
    sigma = _sigma(matrix)
    smooth = ndimage.gaussian_filter(plane, sigma, mode="nearest") if sigma.any() else plane
    moved: NDArray[np.float32] = ndimage.affine_transform(
        smooth, matrix[:3, :3], matrix[:3, 3], grid, order=1, mode="nearest"
    )
    return moved


def _sigma(matrix: Affine) -> NDArray[np.float64]:
    """Give the Gaussian's width along the source's axes, in its voxels; 0 where the target is hardly coarser."""
    ratio = np.maximum(1.0, np.abs(matrix[:3, :3]).max(axis=1))
    sigma = np.sqrt(ratio**2 - 1.0) / 2.355
    return np.where(sigma > 0.1, sigma, 0.0)


def _padded(part: NDArray[np.float32], box: Box, source: tuple[int, ...], by: int) -> NDArray[np.float32]:
    """Surround a label's box: its edge goes on where the source ends there, and it is not there elsewhere."""
    ends = [(side.start == 0, side.stop == size) for side, size in zip(box, source, strict=True)]
    inner = np.pad(part, [(0 if low else by, 0 if high else by) for low, high in ends])
    return np.pad(inner, [(by if low else 0, by if high else 0) for low, high in ends], mode="edge")


def _within(matrix: Affine, source: tuple[int, ...], grid: tuple[int, ...]) -> NDArray[np.bool_]:
    """Tell which target voxels have their centre within the source's field of view, half a voxel around its centres."""
    inside = np.ones(grid, bool)
    steps = np.meshgrid(*(np.arange(side) for side in grid), indexing="ij", sparse=True)
    for row, side in zip(matrix[:3], source, strict=True):
        place = (row[3] + row[0] * steps[0]) + row[1] * steps[1] + row[2] * steps[2]  # one array of the whole grid
        inside &= (place >= -0.5 - 1e-6) & (place <= side - 0.5 + 1e-6)
    return inside
