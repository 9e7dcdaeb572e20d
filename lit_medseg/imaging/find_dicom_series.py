"""Find the DICOM series of a folder tree in one pass over its headers."""

import os
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
from lit_medseg.imaging.quiet_dicom import quiet_dicom
from lit_medseg.imaging.read_dicom_header import MASKS, read_dicom_header

KEPT_HEADERS = 50_000  # of all trees together: some 100 MB; the newest tree stays, however large
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
    alone = path.is_file()
    headers = read_headers([path.name], path.parent) if alone else list(_headers(path))
    found = dicom_stacks(headers, path.parent if alone else path)
    images = [series for series in found if not series.localizer] or found
    chosen = [series for series in found if key == series.key] or [series for series in found if key in series.files]
    chosen = images if not key else chosen
    if len(chosen) == 1 or not found:
        _refuse_damage(headers, chosen, where)
    if len(chosen) == 1:
        return chosen[0]
    listed = "; ".join(f"{series.summary}: {place_name(Path(series.key))}" for series in images[:10])
    if key or not found:
        todo = "Name a series' first file, relative to the folder, or check the folder"
        what = "no such DICOM series" if found else "no DICOM images"
        raise DataError(expected_got(where, what, listed or "a DICOM series", key or "none", todo))
    todo = "Name the series' first file, relative to the folder (`key`), or give each series a folder"
    raise DataError(expected_got(where, "several DICOM series", "one", f"{len(chosen)} ({listed})", todo))


def _refuse_damage(headers: list[DicomHeader], chosen: list[DicomSeries], where: str) -> None:
    """Refuse a series beside whose files lies a damaged one: it may be a slice of it."""
    folders = {Path(name).parent for series in chosen for name in series.files}
    for header in headers:
        if header.damaged and (not chosen or Path(header.file).parent in folders):
            todo = "Copy the file again from its origin, or take it out of the folder"
            what = "the header of a DICOM file is truncated or corrupt"
            got = place_name(Path(header.file))
            raise DataError(expected_got(where, what, "whole files beside each other", got, todo))


def read_headers(names: list[str], folder: Path) -> list[DicomHeader]:
    """Read the headers of files, in threads; files that are no DICOM objects are left out."""
    with quiet_dicom(), ThreadPoolExecutor(THREADS) as pool:
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
            _keep(root, tree)
        return tree.headers


def _keep(root: Path, tree: _Tree) -> None:
    """Remember a tree, and forget the oldest ones beyond what memory allows."""
    _TREES.pop(root, None)
    while _TREES and sum(len(one.headers) for one in _TREES.values()) + len(tree.headers) > KEPT_HEADERS:
        del _TREES[next(iter(_TREES))]
    _TREES[root] = tree


def _changed_ns(folder: Path) -> int:
    try:
        return folder.stat().st_mtime_ns
    except OSError:
        return -1


def _walk(root: Path) -> Iterator[tuple[Path, list[str]]]:
    """Walk a tree, through links, each folder once, past hidden ones."""
    seen: set[tuple[int, int]] = set()
    for top, folders, names in os.walk(root, followlinks=True):
        status = Path(top).stat()
        place = (status.st_dev, status.st_ino)
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        if place in seen:
            folders.clear()
            continue
        seen.add(place)
        yield Path(top), names


def _folders(root: Path) -> Iterator[str]:
    return (str(top.relative_to(root)) for top, _ in _walk(root))


def _files(root: Path) -> Iterator[str]:
    for top, names in _walk(root):
        for name in names:
            if not name.startswith(".") and not name.lower().endswith(OTHER_ENDINGS):
                yield (top / name).relative_to(root).as_posix()
