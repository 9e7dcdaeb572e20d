"""NRRD and MetaImage files, read by SimpleITK."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lit_medseg.errors import DataError, expected_got
from lit_medseg.imaging.kept_file import kept_or_read
from lit_medseg.imaging.late_imports import LATE_IMPORTS
from lit_medseg.imaging.one_channel import one_channel
from lit_medseg.imaging.place_name import place_name
from lit_medseg.imaging.volume import Volume, placed_as
from lit_medseg.imaging.world_axes import LPS_TO_RAS

ITK_ENDINGS = (".nrrd", ".nhdr", ".mha", ".mhd")


def read_itk(path: Path, index: int | None = None) -> Volume:
    """Read a NRRD or MetaImage file.

    Args:
        path: `.nrrd`, `.nhdr`, `.mha` or `.mhd`.
        index: Channel: of a vector image its component, else the place along the fourth axis; None for a file of one.

    Returns:
        `(1, D, H, W)`, the stored dtype; ITK's LPS world is turned to RAS+. A file of two dimensions has D = 1. Vector
        images of three components in 8 bits are colours: `(3, D, H, W)`.

    Raises:
        DataError: Missing, truncated or corrupt; several channels and no `index`; a useless header.
    """
    where = place_name(path, index=index)
    stored = _stored(path, where) if index is None else kept_or_read(path, lambda: _stored(path, where))
    array, size, components, affine = stored
    if components == 3 and array.dtype == np.uint8 and index is None and len(size) <= 3:
        planes = np.moveaxis(array, -1, 0)
        return placed_as(np.ascontiguousarray(planes.reshape(3, *(1,) * (3 - len(size)), *size[::-1])), affine, where)
    channels_last = array if components > 1 else array[..., None]
    spatial_first = np.moveaxis(channels_last, -1, 0).T  # (i, j, k, ..., C): the file's order
    volume = one_channel(_three_axes(spatial_first, len(size)), index, where).transpose(2, 1, 0)
    return placed_as(np.ascontiguousarray(volume)[None], affine, where)


def _stored(path: Path, where: str) -> tuple[NDArray[np.generic], tuple[int, ...], int, NDArray[np.float64]]:
    """Read the whole file: voxels, size, components a voxel, affine."""
    image = _open(path, where)
    return _array(image), image.GetSize(), image.GetNumberOfComponentsPerPixel(), _affine(image)


def _open(path: Path, where: str) -> Any:
    with LATE_IMPORTS:
        import SimpleITK  # noqa: PLC0415 start-up stays quick without it

    if not path.is_file():
        todo = "Restore the file or take its case out of the data set"
        raise DataError(expected_got(where, "the file is missing", "a file", "nothing", todo))
    try:
        return SimpleITK.ReadImage(str(path))
    except RuntimeError as error:
        reason = str(error).strip().splitlines()[-1].strip().replace(f"{path.parent}/", "")
        todo = "Copy the file again from its origin or take its case out of the data set"
        what = "the file is truncated, corrupt or of an unknown kind"
        raise DataError(expected_got(where, what, "a whole NRRD or MetaImage", repr(reason), todo)) from error


def _array(image: Any) -> NDArray[np.generic]:
    with LATE_IMPORTS:
        import SimpleITK  # noqa: PLC0415 start-up stays quick without it

    array: NDArray[np.generic] = SimpleITK.GetArrayFromImage(image)
    return array


def _three_axes(array: NDArray[np.generic], dimensions: int) -> NDArray[np.generic]:
    """Give `(i, j, ..., C)` three spatial axes."""
    return array[:, :, None] if dimensions == 2 else array


def _affine(image: Any) -> NDArray[np.float64]:
    """The place of the first three axes, reversed to the array's order, in RAS+."""
    size = image.GetDimension()
    kept = min(size, 3)
    direction = np.array(image.GetDirection()).reshape(size, size)[:kept, :kept]
    affine = np.eye(4)
    affine[:kept, :kept] = direction * np.array(image.GetSpacing())[:kept]
    affine[:kept, 3] = np.array(image.GetOrigin())[:kept]
    turned: NDArray[np.float64] = LPS_TO_RAS @ affine
    return np.column_stack([turned[:, 2::-1], turned[:, 3]])
