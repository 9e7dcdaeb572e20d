"""Masks hold whole numbers, in whatever dtype they were saved."""

import numpy as np
from numpy.typing import NDArray

from lit_medseg.errors import DataError, expected_got


def whole_codes(array: NDArray[np.generic], where: str) -> NDArray[np.integer]:
    """Turn a mask's stored numbers into integers.

    Args:
        array: Any shape; bool, integers or floats.
        where: What errors call the mask.

    Returns:
        The same numbers: integers as they are, bool as uint8, floats as int64.

    Raises:
        DataError: Numbers that are not whole, NaN or infinite.
    """
    if array.dtype.kind == "b":
        return array.astype(np.uint8)
    if array.dtype.kind in "iu":
        return array.astype(array.dtype.newbyteorder("="), copy=False)
    codes = array.astype(np.int64) if _in_range(array) else None
    if codes is None or not np.array_equal(codes, array):
        todo = "Save the class codes as whole numbers"
        raise DataError(expected_got(where, "the mask holds values that are not whole", "codes", array.dtype, todo))
    return codes


def _in_range(array: NDArray[np.generic]) -> bool:
    """Whether floats can be cast without a warning: finite and below 2 ** 53."""
    low, high = float(array.min(initial=0)), float(array.max(initial=0))  # NaN where there is one; no copies
    return low > -(2.0**53) and high < 2.0**53
