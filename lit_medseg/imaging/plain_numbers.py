"""Dtypes that file formats of images hold."""

import numpy as np
from numpy.typing import NDArray


def plain_numbers(array: NDArray[np.generic]) -> NDArray[np.generic]:
    """Bring an array to a dtype that every format and reader of volumes knows, without changing a number.

    Args:
        array: Any real dtype.

    Returns:
        bool as uint8, half floats as float32; 64-bit integers as the smallest of int16, int32 and int64 that holds
        them all; everything else as it is, in native byte order.
    """
    if array.dtype.kind == "b":
        return array.astype(np.uint8)
    if array.dtype == np.float16:
        return array.astype(np.float32)
    if array.dtype.kind in "iu" and array.dtype.itemsize == 8 and array.size:
        ends = (int(array.min()), int(array.max()))
        for kind in (np.int16, np.int32):
            if ends[0] >= np.iinfo(kind).min and ends[1] <= np.iinfo(kind).max:
                return array.astype(kind)
    return array.astype(array.dtype.newbyteorder("="), copy=False)
