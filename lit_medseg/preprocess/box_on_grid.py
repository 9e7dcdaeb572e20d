"""Cutting a box out of a volume, and putting it into a larger one."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lit_medseg.imaging.volume import Volume


def cut_box(volume: Volume, start: Sequence[int], stop: Sequence[int]) -> Volume:
    """Cut a box; its voxels stay where they are in space.

    Args:
        volume: Any.
        start: First voxel in the order of the axes S, within the grid.
        stop: The voxel after the last, within the grid.

    Returns:
        The box, a copy.
    """
    sides = tuple(slice(low, high) for low, high in zip(start, stop, strict=True))
    return _moved(volume, np.ascontiguousarray(volume.array[(slice(None), *sides)]), start)


def put_into(volume: Volume, grid: Sequence[int], start: Sequence[int], values: NDArray[Any]) -> Volume:
    """Put a volume into a larger one; its voxels stay where they are in space.

    Args:
        volume: Any.
        grid: The larger shape.
        start: Where the volume's first voxel comes to lie.
        values: What surrounds it, one value a channel.

    Returns:
        The larger volume in the same dtype.
    """
    array = np.empty((len(volume.array), *grid), volume.array.dtype)
    array[...] = np.asarray(values, array.dtype).reshape(-1, *(1,) * len(grid))
    sides = tuple(slice(low, low + side) for low, side in zip(start, volume.grid, strict=True))
    array[(slice(None), *sides)] = volume.array
    return _moved(volume, array, [-low for low in start])


def _moved(volume: Volume, array: NDArray[Any], origin: Sequence[int]) -> Volume:
    """Let the affine begin at another index."""
    if volume.affine is None:
        return Volume(array, volume.spacing_mm)
    step = np.eye(4)
    step[: len(origin), 3] = origin
    return Volume(array, volume.spacing_mm, volume.affine @ step)
