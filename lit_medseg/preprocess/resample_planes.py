"""Images, probabilities and codes on a grid with other spacing and the same field of view; two or three dimensions."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lit_medseg.preprocess.axis_weights import Kernel, axis_weights, resample_along
from lit_medseg.preprocess.label_competition import Box, compete

Kernels = Sequence[Kernel]


def resample_intensities(array: NDArray[Any], grid: Sequence[int], kernels: Kernels) -> NDArray[Any]:
    """Resample images or probabilities, plane by plane, so that little more than the result is in memory.

    Args:
        array: `(C, *S)`; integers are rounded, the dtype stays.
        grid: Samples to reach along each axis of S.
        kernels: The rule of each axis; see `axis_weights`. Axes that are there already are not touched.

    Returns:
        `(C, *grid)`, each plane within its old range (a cubic would leave it at edges); the same array if it is there.
    """
    if array.shape[1:] == tuple(grid):
        return array
    result = np.empty((len(array), *grid), array.dtype)
    for plane, target in zip(array, result, strict=True):
        wide = plane.astype(np.float64 if array.dtype.itemsize > 2 and array.dtype != np.float32 else np.float32)
        for axis in _shrinking_first(plane.shape, grid):
            wide = resample_along(wide, axis, axis_weights(plane.shape[axis], grid[axis], kernels[axis]))
        if "cubic" in kernels:
            np.clip(wide, plane.min(), plane.max(), out=wide)
        target[...] = np.rint(wide) if array.dtype.kind in "iu" else wide
    return result


def resample_codes(array: NDArray[Any], grid: Sequence[int], nearest: Sequence[bool] = ()) -> NDArray[Any]:
    """Resample class codes label by label; see `compete` for who wins a voxel, and for what never vanishes.

    Args:
        array: `(1, *S)` codes from 0, or `(K, *S)` planes of 0 and 1; integers.
        grid: Samples to reach along each axis of S.
        nearest: Axes along which a growing mask repeats its slices instead of interpolating between them.

    Returns:
        `(C, *grid)` in the same dtype; no code appears that was not there. The same array if it is there.
    """
    old = array.shape[1:]
    if old == tuple(grid):
        return array
    repeated = nearest or [False] * len(old)
    kernels: list[Kernel] = [
        "area" if new < was else "nearest" if flag else "linear"
        for was, new, flag in zip(old, grid, repeated, strict=True)
    ]
    weights = [axis_weights(*each) for each in zip(old, grid, kernels, strict=True)]

    def share(part: NDArray[Any], box: Box) -> tuple[Box, NDArray[np.float32]]:
        covered = list[slice]()
        for axis, (matrix, side) in enumerate(zip(weights, box, strict=True)):
            columns = matrix[:, side]
            used = np.flatnonzero(columns.any(axis=1))
            covered.append(slice(int(used[0]), int(used[-1]) + 1))
            part = resample_along(part, axis, columns[covered[-1]])
        return tuple(covered), part

    return np.stack([compete(plane, tuple(grid), share, float(np.prod(old) / np.prod(grid))) for plane in array])


def _shrinking_first(old: Sequence[int], grid: Sequence[int]) -> list[int]:
    """Order the axes that change so that the array is small as early as it can be."""
    return sorted(
        (axis for axis in range(len(grid)) if old[axis] != grid[axis]), key=lambda axis: grid[axis] / old[axis]
    )
