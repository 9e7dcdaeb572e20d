"""A part of a processed case, as the augmentation takes it."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
Reader = Callable[[Sequence[int], Sequence[int]], Array]
"""Gives `(C, *part)` of the volume between a first voxel and the one after the last."""


def padded_box(read: Reader, grid: Sequence[int], start: Sequence[int], stop: Sequence[int]) -> Array:
    """Read a box that reaches into the volume and perhaps beyond, where it is 0.

    Args:
        read: Reads what lies within the volume.
        grid: The volume's size.
        start: First voxel of the box.
        stop: The one after its last.

    Returns:
        `(C, *box)`; what was read itself where the box lies inside.
    """
    inner_start = [max(0, first) for first in start]
    inner_stop = [min(length, last) for length, last in zip(grid, stop, strict=True)]
    if inner_start == list(start) and inner_stop == list(stop):
        return read(inner_start, inner_stop)
    part = read(inner_start, inner_stop)
    box = np.zeros((len(part), *(last - first for first, last in zip(start, stop, strict=True))), part.dtype)
    places = [slice(low - first, high - first) for low, high, first in zip(inner_start, inner_stop, start, strict=True)]
    box[(slice(None), *places)] = part
    return box
