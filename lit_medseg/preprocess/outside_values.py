"""What a prediction is where nothing was predicted."""

from typing import Any

import numpy as np
from numpy.typing import NDArray


def outside_values(planes: NDArray[Any]) -> NDArray[Any]:
    """Give the value of each plane of a prediction outside of the region that the network saw: background.

    Args:
        planes: `(K, *S)`. Floats are probabilities: where several sum to one everywhere they exclude each other, and
            the first is the background's. Integers are codes.

    Returns:
        K values in the planes' dtype: 1 for the background's plane, 0 for all others.
    """
    values = np.zeros(len(planes), planes.dtype)
    if planes.dtype.kind == "f" and len(planes) > 1:
        some = planes.reshape(len(planes), -1)[:, :: max(1, planes[0].size // 4096)]
        if np.allclose(some.sum(axis=0, dtype=np.float64), 1.0, atol=0.01):
            values[0] = 1
    return values
