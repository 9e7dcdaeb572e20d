"""Plain arrays (NumPy, HDF5) as images: which axis is which."""

import numpy as np
from numpy.typing import NDArray

from lit_medseg.errors import DataError, expected_got

COLOURS = 4  # gray, two, RGB or RGBA; a volume's last axis is longer


def array_planes(array: NDArray[np.generic], where: str, volume: bool = False) -> NDArray[np.generic]:
    """Give an array of two or three dimensions its channel axis.

    Args:
        array: `(H, W)`; `(H, W, C)` with at most four channels; `(D, H, W)` with a longer last axis.
        where: What errors call the array.
        volume: It is known that three dimensions are `(D, H, W)`, however narrow.

    Returns:
        `(1, H, W)`, `(C, H, W)` or `(1, D, H, W)` in native byte order, freshly allocated; bool becomes
        uint8.

    Raises:
        DataError: Other numbers of dimensions, or an axis of length 0.
    """
    shape = array.shape
    if len(shape) not in (2, 3) or 0 in shape:
        todo = "Name a row along the first axis (`index`) or save one volume per array"
        expected = "(H, W), (H, W, C) with C <= 4, or (D, H, W)"
        raise DataError(expected_got(where, "the array is no picture and no volume", expected, shape, todo))
    kind = np.dtype(np.uint8) if array.dtype.kind == "b" else array.dtype.newbyteorder("=")
    plain = np.array(array, dtype=kind, order="C")  # a copy: archives stay in memory, and .npy files are mapped
    if len(shape) == 3 and shape[-1] <= COLOURS and not volume:
        return np.ascontiguousarray(np.moveaxis(plain, -1, 0))
    return plain[None]


def array_row(array: NDArray[np.generic], index: int | None, where: str) -> NDArray[np.generic]:
    """Take one row along an array's first axis, or the whole array where no row is named.

    Raises:
        DataError: There is no such row.
    """
    if index is None:
        return array
    if array.ndim == 0 or not 0 <= index < len(array):
        rows = len(array) if array.ndim else 0
        raise DataError(expected_got(where, "no such row", f"a row below {rows}", index, "Check the file's arrays"))
    row: NDArray[np.generic] = array[index]
    return row
