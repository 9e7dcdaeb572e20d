"""TIFF files of several pages: a stack of slices."""

import math
import re
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lit_medseg.errors import DataError, expected_got
from lit_medseg.imaging.late_imports import LATE_IMPORTS
from lit_medseg.imaging.place_name import place_name
from lit_medseg.imaging.volume import Volume

STACK_ENDINGS = (".tif", ".tiff")
MILLIMETRES = {
    "mm": 1.0, "millimeter": 1.0, "cm": 10.0, "centimeter": 10.0, "m": 1000.0, "inch": 25.4,
    "um": 1e-3, "µm": 1e-3, "μm": 1e-3, "micron": 1e-3, "microns": 1e-3, "\\u00b5m": 1e-3, "nm": 1e-6,
}  # fmt: skip
DAMAGE = (OSError, ValueError, TypeError, KeyError, IndexError, EOFError, struct.error, zlib.error, RuntimeError)


def tiff_pages(path: Path) -> int:
    """Count the pages of a TIFF; 1 where the file cannot be read (reading it as a picture says why)."""
    with LATE_IMPORTS:
        import tifffile  # noqa: PLC0415 start-up stays quick without tifffile

    try:
        with tifffile.TiffFile(path) as file:
            return len(file.pages)
    except (*DAMAGE, tifffile.TiffFileError):
        return 1


def read_stack(path: Path, index: int | None = None) -> Volume:
    """Read all pages of a TIFF as slices.

    Args:
        path: `.tif` or `.tiff`; pages of one shape, gray or RGB.
        index: Channel of an ImageJ or OME hyperstack of several; None for a stack of one.

    Returns:
        `(1, D, H, W)` or `(3, D, H, W)`, the stored dtype. Spacing in mm from ImageJ's or OME's metadata where they
        name a length, else 1.0; no affine: a TIFF knows no patient.

    Raises:
        DataError: Truncated or corrupt, pages of several shapes, several channels or times and no `index`.
    """
    with LATE_IMPORTS:
        import tifffile  # noqa: PLC0415 start-up stays quick without tifffile

    where = place_name(path, index=index)
    try:
        with tifffile.TiffFile(path) as file:
            pages = [np.asarray(page.asarray()) for page in file.pages]
            channels = _channels(file, len(pages))
            spacing_mm = _spacing_mm(file)
    except (*DAMAGE, tifffile.TiffFileError) as error:
        todo = "Copy the file again from its origin or take its case out of the data set"
        got = f"{type(error).__name__}: {str(error).replace(f'{path.parent}/', '')}"
        raise DataError(expected_got(where, "the TIFF is truncated or corrupt", "a whole file", got, todo)) from error
    shapes = sorted({f"{page.dtype} {page.shape}" for page in pages})
    if len(shapes) > 1:
        todo = "Write one file per picture"
        raise DataError(expected_got(where, "the pages differ", "one shape and dtype", shapes[:4], todo))
    return Volume(_slices(np.stack(pages), channels, index, where), spacing_mm)


def _slices(array: NDArray[np.generic], channels: int, index: int | None, where: str) -> NDArray[np.generic]:
    """Arrange pages `(P, H, W)` or `(P, H, W, 3)` as `(C, D, H, W)`; ImageJ and OME write channels before slices."""
    if index is None and channels > 1:
        todo = "Name the channel: `index` in the table or source"
        raise DataError(expected_got(where, "the stack has several channels", "one, or an index", channels, todo))
    if not 0 <= (index or 0) < channels:
        todo = "Correct the index"
        raise DataError(expected_got(where, "no such channel", f"an index below {channels}", index, todo))
    slices = array[(index or 0) :: channels]
    native = slices.astype(slices.dtype.newbyteorder("="), copy=False)
    if native.dtype.kind == "b":
        native = native.astype(np.uint8)
    if native.ndim == 4 and native.shape[-1] in (3, 4):
        return np.ascontiguousarray(np.moveaxis(native[..., :3], -1, 0))
    if native.ndim != 3 or native.dtype.kind not in "iuf":
        todo = "Save the pages as gray or RGB"
        raise DataError(expected_got(where, "the pages are neither gray nor RGB", "(H, W)", array.shape, todo))
    return native[None]


def _channels(file: Any, pages: int) -> int:
    """The number of channels that alternate from page to page."""
    if file.is_imagej:
        data = file.imagej_metadata or {}
        count = int(data.get("channels", 1)) * int(data.get("frames", 1))
        return count if count < pages and pages % count == 0 else 1
    if file.is_ome:
        sizes = dict(re.findall(r'Size([CT])="(\d+)"', file.ome_metadata or ""))
        count = math.prod(int(size) for size in sizes.values())
        return count if 1 < count < pages and pages % count == 0 else 1
    return 1


def _spacing_mm(file: Any) -> tuple[float, float, float]:
    """The spacing (D, H, W) where metadata name it."""
    if file.is_ome:
        return _ome_spacing_mm(file.ome_metadata or "")
    data = (file.imagej_metadata or {}) if file.is_imagej else {}
    factor = MILLIMETRES.get(str(data.get("unit", "")).lower())
    if factor is None:
        return (1.0, 1.0, 1.0)
    depth_mm = _positive(float(data.get("spacing", 1.0)) * factor)
    return depth_mm, _pixel_mm(file, "YResolution", factor), _pixel_mm(file, "XResolution", factor)


def _pixel_mm(file: Any, tag: str, factor: float) -> float:
    """Millimetres per pixel; the tag holds pixels per unit as a fraction."""
    found = file.pages[0].tags.get(tag)
    if found is None or not found.value[0]:
        return 1.0
    return _positive(found.value[1] / found.value[0] * factor)


def _ome_spacing_mm(text: str) -> tuple[float, float, float]:
    def size(axis: str) -> float:
        value = re.search(rf'PhysicalSize{axis}="([^"]+)"', text)
        unit = re.search(rf'PhysicalSize{axis}Unit="([^"]+)"', text)
        factor = MILLIMETRES.get(unit[1].lower() if unit else "um")  # the OME schema's default unit
        return _positive(float(value[1]) * factor) if value and factor else 1.0

    return size("Z"), size("Y"), size("X")


def _positive(value: float) -> float:
    return value if math.isfinite(value) and value > 0 else 1.0
