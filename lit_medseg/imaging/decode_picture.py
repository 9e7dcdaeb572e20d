"""PNG, JPEG, TIFF and BMP files, decoded strictly: what is damaged or ambiguous is refused, never filled in."""

import io
import struct
import zlib
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from lit_medseg.errors import DataError, expected_got
from lit_medseg.imaging.check_png import SIGNATURE, png_damage

FORMATS = ("PNG", "JPEG", "TIFF", "BMP")
TIFF_SIGNATURES = (b"II*\0", b"MM\0*")
ORIENTATION = 0x0112
DAMAGE = (
    OSError,
    SyntaxError,
    ValueError,
    TypeError,
    KeyError,
    IndexError,
    EOFError,
    struct.error,
    zlib.error,
    UserWarning,
    Image.DecompressionBombError,
)


def decode_picture(path: Path, where: str, palette: bool) -> NDArray[np.generic]:
    """Decode a picture file.

    One-bit pictures become 0 and 255, as every viewer shows them. Pixels come as they are stored: a file whose EXIF
    tag asks viewers to turn it is refused, because its mask (which has no such tag) may be drawn on either grid.

    Args:
        path: The file; its content decides on the format, not its ending.
        where: What errors call the file.
        palette: True keeps the indices of a palette picture (masks); False turns them into colours.

    Returns:
        `(H, W, C)`, C = 1 (gray), 3 (RGB); alpha is dropped. uint8, uint16, int32 or float32 as stored.

    Raises:
        DataError: Missing, truncated or corrupt; several pages; a turned picture; pixels that are not gray or RGB.
    """
    content = read_bytes(path, where)
    damage = png_damage(content) if content.startswith(SIGNATURE) else None
    if damage is not None:
        raise DataError(_damaged(where, damage))
    try:
        with Image.open(io.BytesIO(content), formats=FORMATS) as picture:
            tiles = getattr(picture, "tile", [])  # gone once the pixels are loaded, which asking for the EXIF may do
            raw = str(tiles[0].args) if tiles else ""
            _check_plain(picture, where)
            if picture.mode in ("RGB", "RGBA", "LA") and ";16" in raw:  # Pillow would cut the pixels to 8 bits
                picture.load()  # OpenCV would fill up a truncated file
                deep = _decode_deep(content, where)
                return deep[..., :1] if picture.mode == "LA" else deep
            return _pixels(picture, where, palette)
    except UnidentifiedImageError as error:
        if content[:4] in TIFF_SIGNATURES:  # colours in 32-bit floats, which only OpenCV reads; it refuses damage
            return _decode_deep(content, where)
        raise DataError(_damaged(where, f"{len(content)} bytes that are none of these")) from error
    except DataError:
        raise
    except DAMAGE as error:
        raise DataError(_damaged(where, f"{type(error).__name__}: {error}")) from error


def read_bytes(path: Path, where: str) -> bytes:
    """Read a file whole.

    Raises:
        DataError: It is missing or cannot be read.
    """
    try:
        return path.read_bytes()
    except FileNotFoundError as error:
        todo = "Restore the file or take its case out of the data set"
        raise DataError(expected_got(where, "the file is missing", "a file", "nothing", todo)) from error
    except OSError as error:
        todo = "Check the file's permissions and the disk"
        raise DataError(expected_got(where, "the file cannot be read", "a file", error.strerror, todo)) from error


def _damaged(where: str, detail: str) -> str:
    what = "the image is truncated, corrupt or of an unknown format"
    todo = "Copy the file again from its origin or take its case out of the data set"
    return expected_got(where, what, f"a whole file ({', '.join(FORMATS)})", detail, todo)


def _check_plain(picture: Image.Image, where: str) -> None:
    """Refuse several pages and a stored orientation."""
    pages = getattr(picture, "n_frames", 1) if picture.format == "TIFF" else 1
    if pages != 1:
        todo = "Write one file per page"
        raise DataError(expected_got(where, "the file holds several pages", "1", pages, todo))
    orientation = picture.getexif().get(ORIENTATION, 1)
    if orientation not in (0, 1):
        todo = "Turn the pixels and drop the tag (ImageMagick: mogrify -auto-orient), and check the mask against it"
        what = "the EXIF orientation asks viewers to turn the image"
        raise DataError(expected_got(where, what, "1 or no tag", orientation, todo))


def _pixels(picture: Image.Image, where: str, palette: bool) -> NDArray[np.generic]:
    """Decode an opened picture to `(H, W, C)`."""
    if picture.mode in ("P", "PA") and not palette:
        picture = picture.convert("RGB")
    elif picture.mode == "1":
        picture = picture.convert("L")
    array = np.asarray(picture)
    if picture.mode in ("RGB", "RGBA", "RGBX"):
        return array[..., :3]
    if picture.mode in ("L", "LA", "P", "PA", "I", "F") or picture.mode.startswith("I;16"):
        gray = array if array.ndim == 2 else array[..., 0]
        return gray[..., None].astype(gray.dtype.newbyteorder("="))
    todo = "Save it as gray or RGB"
    raise DataError(expected_got(where, "the pixels are neither gray nor RGB", "gray or RGB", picture.mode, todo))


def _decode_deep(content: bytes, where: str) -> NDArray[np.generic]:
    """Decode with OpenCV, which keeps 16-bit and float colours, to `(H, W, 1)` or `(H, W, 3)`."""
    try:
        array = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_UNCHANGED) if content else None
    except cv2.error:
        array = None
    if array is None:
        raise DataError(_damaged(where, f"{len(content)} bytes that no decoder reads"))
    planes = array[..., None] if array.ndim == 2 else array
    return planes[..., 2::-1] if planes.shape[-1] >= 3 else planes[..., :1]
