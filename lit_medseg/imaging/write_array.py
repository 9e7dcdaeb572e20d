"""NumPy and HDF5 files, written whole or not at all."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lit_medseg.errors import DataError, expected_got
from lit_medseg.imaging.array_volume import COLOURS
from lit_medseg.imaging.late_imports import LATE_IMPORTS
from lit_medseg.imaging.volume import Volume
from lit_medseg.imaging.whole_file import whole_file


def write_npy(path: Path, volume: Volume) -> None:
    """Write the numbers of a volume; its place in space is lost.

    Args:
        path: `.npy`.
        volume: `(1, D, H, W)` becomes `(D, H, W)`, `(C, D, H, W)` stays (the reader's `index` names the channel),
            pictures become `(H, W)` or `(H, W, C)`.

    Raises:
        DataError: A volume at most four wide, or a picture of more channels, which would be read as the other one.
        OSError: The disk refuses.
    """
    array = stored_array(volume)
    if (array.ndim == 3) and (array.shape[-1] <= COLOURS) != (len(volume.grid) == 2):
        todo = "Write NIfTI or HDF5"
        what = "a NumPy file cannot tell this volume from a picture"
        raise DataError(expected_got(path.name, what, f"a width over {COLOURS}", array.shape, todo))
    with whole_file(path) as half, half.open("wb") as file:
        np.save(file, array, allow_pickle=False)


def write_hdf5(path: Path, volume: Volume, key: str = "volume") -> None:
    """Write a volume as one compressed dataset with its place in space, as `read_hdf5` reads it.

    Args:
        path: `.h5` or `.hdf5`; another file of that name is replaced.
        volume: Arranged as for `write_npy`.
        key: Path of the dataset within the file.

    Raises:
        OSError: The disk refuses.
    """
    with LATE_IMPORTS:
        import h5py  # noqa: PLC0415 start-up stays quick without h5py

    with whole_file(path) as half, h5py.File(half, "w") as file:
        dataset = file.create_dataset(
            key, data=stored_array(volume), compression="gzip", compression_opts=3, shuffle=True
        )
        dataset.attrs["spacing"] = np.array(volume.spacing_mm)
        if volume.affine is not None:
            dataset.attrs["affine"] = volume.affine


def stored_array(volume: Volume) -> NDArray[np.generic]:
    """Arrange a volume as plain arrays are: one channel without its axis, a picture's channels last."""
    array = volume.array
    if len(array) == 1:
        return np.ascontiguousarray(array[0])
    return np.ascontiguousarray(np.moveaxis(array, 0, -1)) if array.ndim == 3 else array
