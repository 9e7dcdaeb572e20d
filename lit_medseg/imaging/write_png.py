"""PNG files, written whole or not at all."""

import os
import uuid
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from lit_medseg.errors import DataError, expected_got


def encode_png(array: NDArray[np.generic]) -> bytes:
    """Encode a picture without loss.

    Args:
        array: `(H, W)`, `(1, H, W)` gray or `(3, H, W)` RGB; uint8 or uint16.

    Returns:
        The bytes of the file; the same for the same array and library version.

    Raises:
        DataError: Another shape or dtype, or an empty array.
    """
    shape = array.shape
    fits = len(shape) == 2 or (len(shape) == 3 and shape[0] in (1, 3))
    if not fits or 0 in shape or array.dtype not in (np.uint8, np.uint16):
        expected = "uint8 or uint16 of (H, W), (1, H, W) or (3, H, W)"
        todo = "Convert it, or write another format"
        raise DataError(
            expected_got("picture", "a PNG cannot hold the array", expected, f"{array.dtype} {shape}", todo)
        )
    planes = array[None] if array.ndim == 2 else array
    last = np.ascontiguousarray(np.moveaxis(planes[::-1], 0, -1))  # OpenCV wants (H, W, C) in the order BGR
    done, coded = cv2.imencode(".png", last, [cv2.IMWRITE_PNG_COMPRESSION, 3])
    if not done:
        todo = "Check OpenCV with `python -m lit_medseg doctor`"
        raise DataError(expected_got("picture", "PNG encoding failed", "a file", "nothing", todo))
    return coded.tobytes()


def write_png(path: Path, array: NDArray[np.generic]) -> None:
    """Write a picture; a kill or a full disk leaves an earlier file of that name whole.

    Args:
        path: File; its folder is made if need be.
        array: As in `encode_png`.

    Raises:
        DataError: As in `encode_png`.
        OSError: The disk refuses.
    """
    content = encode_png(array)
    path.parent.mkdir(parents=True, exist_ok=True)
    half = path.with_name(f".{uuid.uuid4().hex}.half")
    try:
        with half.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        half.replace(path)
    finally:
        half.unlink(missing_ok=True)
