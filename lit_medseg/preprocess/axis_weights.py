"""Resampling along one axis, as a matrix."""

from functools import lru_cache
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

Kernel = Literal["nearest", "linear", "cubic", "area"]
_ROWS = 64


@lru_cache(maxsize=64)
def axis_weights(old: int, new: int, kernel: Kernel) -> NDArray[np.float64]:
    """Give the weights of the old samples in each new one; the field of view stays.

    New sample i lies at (i + 1/2) * old / new - 1/2 of the old axis. `linear` is the triangle and `cubic` Catmull and
    Rom's piecewise cubic; both are widened by old / new where the axis shrinks, so that nothing is skipped (no
    aliasing). `area` averages what a new sample covers. `nearest` takes the sample in whose cell the new centre lies.

    Source: Keys 1981, doi:10.1109/TASSP.1981.1163711 (cubic, a = -1/2); the widening as in Pillow's `resize`.

    Args:
        old: Samples that there are.
        new: Samples to make.
        kernel: The rule.

    Returns:
        `(new, old)`, rows sum to one, read-only.
    """
    step, index = old / new, np.arange(old)
    if kernel == "nearest":
        weights = (np.minimum((np.arange(new) + 0.5) * step, old - 0.5).astype(int)[:, None] == index).astype(float)
    elif kernel == "area":
        low = np.arange(new)[:, None] * step
        weights = np.clip(np.minimum(index + 1, low + step) - np.maximum(index, low), 0.0, None)
    else:
        centres = (np.arange(new)[:, None] + 0.5) * step - 0.5
        distance = np.abs(index - centres) / max(1.0, step)
        weights = np.clip(1.0 - distance, 0.0, None) if kernel == "linear" else _catmull_rom(distance)
    normed: NDArray[np.float64] = weights / weights.sum(axis=1, keepdims=True)
    normed.setflags(write=False)
    return normed


def resample_along(array: NDArray[Any], axis: int, weights: NDArray[np.float64]) -> NDArray[Any]:
    """Multiply one axis by a matrix of weights, of which only the band that is not zero is worked on.

    Args:
        array: Floats.
        axis: The axis to resample.
        weights: `(new, old)`.

    Returns:
        The array with `new` samples along the axis, in the array's dtype.
    """
    shape, new = array.shape, len(weights)
    before, after = int(np.prod(shape[:axis])), int(np.prod(shape[axis + 1 :]))
    rows = np.ascontiguousarray(array).reshape(before, shape[axis], after)
    result = np.empty((before, new, after), array.dtype)
    matrix = weights.astype(array.dtype)
    for first in range(0, new, _ROWS):
        last = min(first + _ROWS, new)
        used = np.flatnonzero(matrix[first:last].any(axis=0))
        if used.size == 0:
            result[:, first:last] = 0
            continue
        low, high = int(used[0]), int(used[-1]) + 1
        part = matrix[first:last, low:high]
        if after == 1:
            result[:, first:last, 0] = rows[:, low:high, 0] @ part.T
        else:
            np.matmul(part, rows[:, low:high], out=result[:, first:last])
    return result.reshape(*shape[:axis], new, *shape[axis + 1 :])


def _catmull_rom(distance: NDArray[np.float64]) -> NDArray[np.float64]:
    near = (1.5 * distance - 2.5) * distance**2 + 1.0
    far = ((-0.5 * distance + 2.5) * distance - 4.0) * distance + 2.0
    return np.where(distance < 1, near, np.where(distance < 2, far, 0.0))
