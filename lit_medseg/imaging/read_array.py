"""Read one image or mask file into an array."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lit_medseg.errors import DataError, expected_got
from lit_medseg.imaging.decode_picture import decode_picture
from lit_medseg.imaging.load_array import load_array

ARRAY_ENDINGS = (".npy", ".npz")
PICTURE_ENDINGS = (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp")
READABLE_ENDINGS = PICTURE_ENDINGS + ARRAY_ENDINGS


def read_image(path: Path, key: str = "", index: int | None = None) -> NDArray[np.generic]:
    """Read an image strictly: damaged files are refused, never filled in.

    Args:
        path: PNG, JPEG, TIFF, BMP, or NumPy `(H, W)` or `(H, W, C)` (channels last).
        key: Name of the array within an `.npz`.
        index: Row of that array along its first axis; None for the whole array.

    Returns:
        `(C, H, W)`, freshly allocated: gray C = 1, colour C = 3 in the order RGB, alpha dropped (an array keeps all
        its channels); the stored dtype (bool becomes uint8, one-bit pictures 0 and 255).

    Raises:
        DataError: Missing, truncated or corrupt file, unknown key, row out of range, a shape that is no image, a
            picture with several pages or an EXIF orientation. The text names the file, not its folder.
    """
    return np.ascontiguousarray(np.moveaxis(_read(path, key, index, palette=False), -1, 0))


def read_mask(path: Path, key: str = "", index: int | None = None) -> NDArray[np.integer]:
    """Read a mask of class codes strictly.

    Args:
        path: As for `read_image`; a palette picture gives its indices.
        key: Name of the array within an `.npz`.
        index: Row of that array along its first axis; None for the whole array.

    Returns:
        `(H, W)` whole numbers in the stored dtype (floats become int64). Equal colour channels collapse to one.

    Raises:
        DataError: As for `read_image`; colours that differ between the channels, or values that are not whole.
    """
    planes = _read(path, key, index, palette=True)
    where = _where(path, key, index)
    if planes.shape[-1] > 1 and not (planes == planes[..., :1]).all():
        todo = "Save the class codes as one gray channel"
        raise DataError(expected_got(where, "the mask's channels differ", "equal channels", "colours", todo))
    codes = planes[..., 0]
    if codes.dtype.kind == "f":
        real = codes.astype(np.float64)
        if not (np.isfinite(real) & (real == np.round(real))).all():
            todo = "Save the class codes as whole numbers"
            raise DataError(expected_got(where, "the mask holds values that are not whole", "codes", codes.dtype, todo))
        codes = real.astype(np.int64)
    return np.ascontiguousarray(codes.astype(codes.dtype, copy=False))


def _where(path: Path, key: str, index: int | None) -> str:
    """Name the place without the folders of this machine."""
    text = path.name if path.is_absolute() else path.as_posix()
    text = f"{text}:{key}" if key else text
    return text if index is None else f"{text}[{index}]"


def _read(path: Path, key: str, index: int | None, palette: bool) -> NDArray[np.generic]:
    """Read to `(H, W, C)`, real numbers, native byte order, a copy."""
    where = _where(path, key, index)
    if path.suffix.lower() in ARRAY_ENDINGS:
        return _channels_last(_row(load_array(path, where, key), index, where), where)
    if index is not None:
        raise DataError(expected_got(where, "a picture has no rows", "no index", index, "Use an .npy or .npz file"))
    return decode_picture(path, where, palette)


def _row(array: NDArray[np.generic], index: int | None, where: str) -> NDArray[np.generic]:
    if index is None:
        return array
    if array.ndim == 0 or not 0 <= index < len(array):
        rows = len(array) if array.ndim else 0
        raise DataError(expected_got(where, "no such row", f"a row below {rows}", index, "Check the archive's arrays"))
    row: NDArray[np.generic] = array[index]
    return row


def _channels_last(array: NDArray[np.generic], where: str) -> NDArray[np.generic]:
    """Give an array a channel axis; refuse shapes that are no picture."""
    shape = array.shape
    planes = array[..., None] if array.ndim == 2 else array
    if planes.ndim != 3 or 0 in shape or planes.shape[-1] > min(planes.shape[:2]):
        todo = "Save the array with its channels as the last axis"
        raise DataError(expected_got(where, "the array is no picture", "(H, W) or (H, W, C)", shape, todo))
    kind = np.dtype(np.uint8) if planes.dtype.kind == "b" else planes.dtype.newbyteorder("=")
    return planes.astype(kind)
