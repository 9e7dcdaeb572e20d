"""Find the DICOM series of a folder tree in one pass over its headers."""

import os
import warnings
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from threading import Lock

from lit_medseg.errors import DataError, expected_got
from lit_medseg.imaging.dicom_series import DicomMask, DicomSeries
from lit_medseg.imaging.dicom_slice import DicomHeader
from lit_medseg.imaging.dicom_stacks import dicom_stacks
from lit_medseg.imaging.place_name import place_name
from lit_medseg.imaging.read_dicom_header import MASKS, read_dicom_header

KEPT_TREES = 64
THREADS = 4  # they wait for the disk; parsing itself is one thread's work at a time
OTHER_ENDINGS = (
    ".nii",
    ".gz",
    ".nrrd",
    ".mha",
    ".h5",
    ".hdf5",
    ".npy",
    ".npz",
    ".png",
    ".jpg",
    ".csv",
    ".json",
    ".txt",
)


@dataclass(frozen=True)
class _Tree:
    """The headers of a tree, and when its folders last changed."""

    changed_ns: dict[str, int]
    headers: tuple[DicomHeader, ...]


_TREES: dict[Path, _Tree] = {}
_SCANNING = Lock()


def find_dicom_series(folder: Path) -> list[DicomSeries]:
    """List the image series of a tree of folders.

    Files need no ending; others beside them are passed over, and so are hidden ones. The scan is kept in this process
    and made anew when a folder of the tree has changed.

    Args:
        folder: Where the tree starts.

    Returns:
        The stacks that can be volumes or pictures (`dicom_stacks`), sorted by key; empty where there are none.

    Raises:
        DataError: There is no such folder.
    """
    return dicom_stacks(_headers(folder), folder)


def find_dicom_masks(folder: Path) -> list[DicomMask]:
    """List the DICOM-SEG and RTSTRUCT files of a tree of folders, sorted by file; as `find_dicom_series`."""
    return [
        DicomMask(one.file, one.modality, one.description, one.patient_id, one.study_uid, one.refers_to)
        for one in _headers(folder)
        if one.modality in MASKS
    ]


def one_dicom_series(path: Path, key: str = "") -> DicomSeries:
    """Choose one series.

    Args:
        path: Folder, or one file.
        key: A series' key or any of its files; empty where there is one series. Scouts do not count beside others.

    Returns:
        The series.

    Raises:
        DataError: None, or several and no key, or a key that is none of them.
    """
    where = place_name(path, key)
    if path.is_file():
        header = read_headers([path.name], path.parent)
        found = dicom_stacks(header, path.parent)
    else:
        found = find_dicom_series(path)
    images = [series for series in found if not series.localizer] or found
    chosen = [series for series in found if key == series.key] or [series for series in found if key in series.files]
    chosen = images if not key else chosen
    if len(chosen) == 1:
        return chosen[0]
    listed = "; ".join(f"{series.summary}: {place_name(Path(series.key))}" for series in images[:10])
    if key or not found:
        todo = "Name a series' first file, relative to the folder, or check the folder"
        what = "no such DICOM series" if found else "no DICOM images"
        raise DataError(expected_got(where, what, listed or "a DICOM series", key or "none", todo))
    todo = "Name the series' first file, relative to the folder (`key`), or give each series a folder"
    raise DataError(expected_got(where, "several DICOM series", "one", f"{len(chosen)} ({listed})", todo))


def read_headers(names: list[str], folder: Path) -> list[DicomHeader]:
    """Read the headers of files, in threads; files that are no DICOM objects are left out."""
    with warnings.catch_warnings(), ThreadPoolExecutor(THREADS) as pool:
        warnings.simplefilter("ignore")  # pydicom warns of values that break the standard's letter, which are common
        read = partial(_read_one, folder)
        return [header for header in pool.map(read, names, chunksize=16) if header is not None]


def _read_one(folder: Path, name: str) -> DicomHeader | None:
    return read_dicom_header(folder / name, name)


def _headers(folder: Path) -> tuple[DicomHeader, ...]:
    """The headers of a tree, from this process's memory where the tree has not changed."""
    root = folder.resolve()
    if not root.is_dir():
        todo = "Correct the path or restore the folder"
        raise DataError(expected_got(place_name(folder), "the folder is missing", "a folder", "nothing", todo))
    with _SCANNING:
        tree = _TREES.get(root)
        if tree is None or any(_changed_ns(root / name) != at for name, at in tree.changed_ns.items()):
            names = sorted(_files(root))
            folders = {str(Path(name).parent) for name in names} | set(_folders(root))
            changed = {name: _changed_ns(root / name) for name in folders}
            tree = _Tree(changed, tuple(read_headers(names, root)))
            while len(_TREES) >= KEPT_TREES:
                del _TREES[next(iter(_TREES))]
            _TREES[root] = tree
        return tree.headers


def _changed_ns(folder: Path) -> int:
    try:
        return folder.stat().st_mtime_ns
    except OSError:
        return -1


def _walk(root: Path) -> Iterator[tuple[Path, list[str]]]:
    for top, folders, names in os.walk(root):
        folders[:] = [name for name in folders if not name.startswith(".")]
        yield Path(top), names


def _folders(root: Path) -> Iterator[str]:
    return (str(top.relative_to(root)) for top, _ in _walk(root))


def _files(root: Path) -> Iterator[str]:
    for top, names in _walk(root):
        for name in names:
            if not name.startswith(".") and not name.lower().endswith(OTHER_ENDINGS):
                yield (top / name).relative_to(root).as_posix()
