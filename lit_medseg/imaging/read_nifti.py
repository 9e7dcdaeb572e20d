"""NIfTI files."""

import gzip
import io
import logging
import math
import struct
import zlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from lit_medseg.errors import DataError, expected_got
from lit_medseg.imaging.decode_picture import read_bytes
from lit_medseg.imaging.kept_file import kept_or_read
from lit_medseg.imaging.late_imports import LATE_IMPORTS
from lit_medseg.imaging.one_channel import one_channel
from lit_medseg.imaging.place_name import place_name
from lit_medseg.imaging.volume import Volume, placed_as

if TYPE_CHECKING:
    from nibabel.nifti1 import Nifti1Image

NIFTI_ENDINGS = (".nii", ".nii.gz")
MILLIMETRES = {"meter": 1000.0, "mm": 1.0, "micron": 0.001, "unknown": 1.0}
DAMAGE = (OSError, EOFError, ValueError, TypeError, KeyError, struct.error, zlib.error, OverflowError)


def read_nifti(path: Path, index: int | None = None) -> Volume:
    """Read a NIfTI-1 or NIfTI-2 file, compressed or not, in either byte order.

    The affine is nibabel's (sform where its code says so, else qform, else the voxel sizes), in millimetres whatever
    the file's unit. A compressed file is read to its end, so that its checksum is checked.

    Args:
        path: `.nii` or `.nii.gz`.
        index: Channel along the fourth axis; None for a file of one.

    Returns:
        `(1, D, H, W)` (`(3, D, H, W)` for RGB voxels): the file's axes (i, j, k) in the order (k, j, i). The stored
        dtype; float32 where the header has a slope or an intercept. A file of two dimensions has D = 1.

    Raises:
        DataError: Missing, truncated or corrupt; several channels and no `index`; complex voxels; a useless affine.
    """
    where = place_name(path, index=index)
    array, affine = _stored(path, where) if index is None else kept_or_read(path, lambda: _stored(path, where))
    if array.dtype.kind == "c":
        raise DataError(expected_got(where, "the voxels are complex", "real numbers", array.dtype, "Save magnitudes"))
    planes = [one_channel(plane, index, where).transpose(2, 1, 0) for plane in _colours(array)]
    reversed_axes = np.column_stack([affine[:, 2::-1], affine[:, 3]])
    return placed_as(planes[0][None] if len(planes) == 1 else np.stack(planes), reversed_axes, where)


def _stored(path: Path, where: str) -> tuple[NDArray[np.generic], NDArray[np.float64]]:
    """Read the whole file: voxels (i, j, k, ...), and the affine in millimetres."""
    image = _open(read_bytes(path, where), where)
    try:
        affine = np.array(image.affine, np.float64)
        affine[:3] *= MILLIMETRES[_unit(image)]
        return _voxels(image), affine
    except DAMAGE as error:
        raise DataError(_damaged(where, error)) from error


def _open(content: bytes, where: str) -> "Nifti1Image":
    """Decompress and parse; the dataobj stays a view of the bytes in memory."""
    with LATE_IMPORTS:
        from nibabel.filebasedimages import ImageFileError  # noqa: PLC0415 start-up stays quick without nibabel
        from nibabel.nifti1 import Nifti1Image  # noqa: PLC0415
        from nibabel.nifti2 import Nifti2Image  # noqa: PLC0415
        from nibabel.spatialimages import HeaderDataError  # noqa: PLC0415
        from nibabel.wrapstruct import WrapStructError  # noqa: PLC0415

    logging.getLogger("nibabel.global").setLevel(logging.CRITICAL)  # what it finds in headers, we say ourselves
    try:
        plain = _inflated(content) if content[:2] == b"\x1f\x8b" else content
        sizes = {struct.unpack(f"{order}i", plain[:4])[0] for order in "<>"}
        kind = Nifti2Image if 540 in sizes else Nifti1Image
        header_class: Any = kind.header_class
        header = header_class(plain[: header_class.template_dtype.itemsize], check=False)
        image = kind.from_stream(io.BytesIO(plain))
    except (*DAMAGE, ImageFileError, HeaderDataError, WrapStructError) as error:
        raise DataError(_damaged(where, error)) from error
    _check_sizes(header, where)
    return image


def _check_sizes(header: Any, where: str) -> None:
    """Refuse voxel sizes that nibabel would replace, where the place in space is made of them.

    Raises:
        DataError: A size is 0, negative or not finite.
    """
    sizes = [float(size) for size in header["pixdim"][1 : 1 + min(3, int(header["dim"][0]))]]
    if int(header["sform_code"]) <= 0 and not all(0 < size < math.inf for size in sizes):
        todo = "Correct the header's pixdim, or give it an sform"
        raise DataError(expected_got(where, "the voxel sizes are unusable", "positive numbers", sizes, todo))


def _inflated(content: bytes) -> bytes:
    """Decompress and check the checksum; in one go where the file has one part, as nearly all have."""
    parts = zlib.decompressobj(wbits=31)
    plain = parts.decompress(content)
    return plain if parts.eof and not parts.unused_data else gzip.decompress(content)


def _voxels(image: "Nifti1Image") -> NDArray[np.generic]:
    """Read the stored numbers, scaled to float32 only where the header scales."""
    data: Any = image.dataobj
    scaled = (float(data.slope), float(data.inter)) != (1.0, 0.0)
    array: NDArray[np.generic] = np.asarray(data, np.float32) if scaled else np.asarray(data)
    return array if array.dtype.names else array.astype(array.dtype.newbyteorder("="), copy=False)


def _colours(array: NDArray[np.generic]) -> list[NDArray[np.generic]]:
    """Take RGB voxels apart; alpha is dropped."""
    fields: Any = array.dtype.names
    records: Any = array
    return [array] if fields is None else [records[name] for name in fields[:3]]


def _unit(image: "Nifti1Image") -> str:
    header: Any = image.header
    unit: str = header.get_xyzt_units()[0]
    return unit


def _damaged(where: str, error: Exception) -> str:
    detail = " ".join(str(error).split()).rstrip(".") or type(error).__name__
    todo = "Copy the file again from its origin or take its case out of the data set"
    return expected_got(where, "the NIfTI file is truncated or corrupt", "a whole .nii or .nii.gz", detail, todo)
