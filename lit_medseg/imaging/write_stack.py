"""TIFF files of one picture or a stack of slices, written whole or not at all."""

from pathlib import Path

import numpy as np

from lit_medseg.errors import DataError, expected_got
from lit_medseg.imaging.late_imports import LATE_IMPORTS
from lit_medseg.imaging.plain_numbers import plain_numbers
from lit_medseg.imaging.volume import Volume
from lit_medseg.imaging.whole_file import whole_file


def write_stack(path: Path, volume: Volume) -> None:
    """Write slices as the pages of an OME-TIFF, which keeps the spacing; a place in the patient is lost.

    Args:
        path: `.tif` or `.tiff`.
        volume: One channel or RGB.

    Raises:
        DataError: Other numbers of channels, or 64-bit integers that need their 64 bits.
        OSError: The disk refuses.
    """
    with LATE_IMPORTS:
        import tifffile  # noqa: PLC0415 start-up stays quick without tifffile

    array = plain_numbers(volume.array)
    if len(array) not in (1, 3) or (array.dtype.kind in "iu" and array.dtype.itemsize == 8):
        todo = "Write NIfTI"
        got = f"{array.dtype} {array.shape}"
        raise DataError(expected_got(path.name, "a TIFF cannot hold the volume", "gray or RGB", got, todo))
    planes = np.moveaxis(array, 0, -1) if len(array) == 3 else array[0]
    axes = "ZYX"[3 - len(volume.grid) :]
    sizes = {f"PhysicalSize{axis}": size for axis, size in zip(axes, volume.spacing_mm, strict=True)}
    units = {f"PhysicalSize{axis}Unit": "mm" for axis in axes}
    metadata = {"axes": axes + ("S" if len(array) == 3 else ""), **sizes, **units}
    with whole_file(path) as half:
        tifffile.imwrite(
            half,
            np.ascontiguousarray(planes),
            photometric="rgb" if len(array) == 3 else "minisblack",
            ome=True,
            metadata=metadata,
            compression="zlib",
            predictor=array.dtype.kind in "iu",
        )
