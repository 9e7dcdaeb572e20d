"""Datasets of HDF5 files."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lit_medseg.errors import DataError, expected_got
from lit_medseg.imaging.array_volume import array_planes
from lit_medseg.imaging.late_imports import LATE_IMPORTS
from lit_medseg.imaging.place_name import place_name
from lit_medseg.imaging.volume import Volume, flat_volume, placed_as

HDF5_ENDINGS = (".h5", ".hdf5")


def read_hdf5(path: Path, key: str = "", index: int | None = None) -> Volume:
    """Read one dataset, or one row of it, without reading the others.

    The place in space is taken from attributes of the dataset, else of the groups that hold it: `affine` (4x4, index
    in the order of the array's axes to RAS+ mm), or `spacing` (mm, in that order). Without them the spacing is 1.0.

    Args:
        path: `.h5` or `.hdf5`.
        key: Path of the dataset within the file; may be empty where the file holds one dataset.
        index: Row along the dataset's first axis (one volume per row); None for the whole dataset.

    Returns:
        `(1, D, H, W)`, or `(C, H, W)` for pictures: `array_planes` says which axis is which. The stored dtype.

    Raises:
        DataError: Missing or corrupt file, no such dataset or row, no numbers, attributes that do not fit.
    """
    with LATE_IMPORTS:
        import h5py  # noqa: PLC0415 start-up stays quick without h5py

    where = place_name(path, key, index)
    if not path.is_file():
        todo = "Restore the file or take its case out of the data set"
        raise DataError(expected_got(where, "the file is missing", "a file", "nothing", todo))
    try:
        with h5py.File(path, "r") as file:
            dataset = file[_only_dataset(file, where) if not key else _known(file, key, where)]
            array, places = _rows(dataset, index, where), _attributes(dataset)
    except DataError:
        raise
    except (OSError, RuntimeError, ValueError, KeyError, TypeError) as error:
        todo = "Copy the file again from its origin or take its case out of the data set"
        reason = repr(str(error).replace(f"{path.parent}/", ""))
        raise DataError(expected_got(where, "the HDF5 file is corrupt", "a whole file", reason, todo)) from error
    if array.dtype.kind not in "biuf":
        todo = "Name a dataset of numbers"
        raise DataError(expected_got(where, "the dataset's dtype is unusable", "real numbers", array.dtype, todo))
    volume = "affine" in places or np.size(places.get("spacing", ())) == 3
    return _placed(array_planes(array, where, volume), places, where)


def hdf5_datasets(path: Path) -> dict[str, tuple[int, ...]]:
    """List a file's datasets.

    Returns:
        Shape by path within the file, in the order of their names; reads headers only.

    Raises:
        DataError: Missing or corrupt.
    """
    with LATE_IMPORTS:
        import h5py  # noqa: PLC0415 start-up stays quick without h5py

    try:
        with h5py.File(path, "r") as file:
            return {name: tuple(file[name].shape) for name in _names(file)}
    except (OSError, RuntimeError) as error:
        todo = "Copy the file again from its origin"
        got = type(error).__name__
        raise DataError(expected_got(place_name(path), "no readable HDF5 file", "a whole file", got, todo)) from error


def _names(file: Any) -> list[str]:
    with LATE_IMPORTS:
        import h5py  # noqa: PLC0415

    names: list[str] = []
    file.visititems(lambda name, node: names.append(name) if isinstance(node, h5py.Dataset) else None)
    return sorted(names)


def _only_dataset(file: Any, where: str) -> str:
    names = _names(file)
    if len(names) != 1:
        todo = "Name the dataset (`key`)"
        raise DataError(expected_got(where, "the file holds several datasets or none", "one", names[:10], todo))
    return names[0]


def _known(file: Any, key: str, where: str) -> str:
    with LATE_IMPORTS:
        import h5py  # noqa: PLC0415

    if not isinstance(file.get(key), h5py.Dataset):
        todo = "Name a dataset that the file holds"
        raise DataError(expected_got(where, "no such dataset", f"one of {_names(file)[:10]}", repr(key), todo))
    return key


def _rows(dataset: Any, index: int | None, where: str) -> NDArray[np.generic]:
    rows = dataset.shape[0] if dataset.shape else 0
    if index is not None and not 0 <= index < rows:
        todo = "Check the file's datasets"
        raise DataError(expected_got(where, "no such row", f"a row below {rows}", index, todo))
    return np.asarray(dataset[()] if index is None else dataset[index])


def _attributes(dataset: Any) -> dict[str, NDArray[np.float64]]:
    """Find `affine` and `spacing` on the dataset, else on its group, up to the file."""
    found: dict[str, NDArray[np.float64]] = {}
    node = dataset
    while True:
        for name in ("affine", "spacing"):
            if name in node.attrs and name not in found:
                found[name] = np.asarray(node.attrs[name], np.float64)
        if found or node.name == "/":
            return found
        node = node.parent


def _placed(planes: NDArray[np.generic], places: dict[str, NDArray[np.float64]], where: str) -> Volume:
    if "affine" in places and planes.ndim == 4:
        return placed_as(planes, places["affine"], where)
    if "spacing" in places:
        spacing_mm = tuple(float(size) for size in np.ravel(places["spacing"]))
        if len(spacing_mm) != planes.ndim - 1 or min(spacing_mm) <= 0:
            todo = "Correct the attribute `spacing`"
            expected = f"{planes.ndim - 1} positive numbers"
            raise DataError(expected_got(where, "the spacing does not fit", expected, spacing_mm, todo))
        return Volume(planes, spacing_mm)
    return flat_volume(planes)
