"""Processed cases on this machine's disk: written once, mapped by every worker and rank."""

import logging
from collections.abc import Callable, Sequence
from functools import cached_property
from mmap import ACCESS_READ, mmap
from pathlib import Path
from typing import Any

import numpy as np
from filelock import FileLock
from numpy.typing import NDArray

from lit_medseg.errors import DataError, expected_got
from lit_medseg.preprocess.cache_blocks import DamagedBlockError, check_head, read_box, read_plain
from lit_medseg.preprocess.cache_index import ArrayRecord, CacheIndex
from lit_medseg.preprocess.cache_writer import INDEX, PACKED, write_cache
from lit_medseg.preprocess.processed_case import ProcessedCase
from lit_medseg.preprocess.trace import CaseTrace

_log = logging.getLogger(__name__)


class CaseCache:
    """A whole cache, read-only. Cheap to pickle and to fork: each process maps the file when it first reads.

    Args:
        folder: The cache, whole (see `open_cache`).
        index: Its table of contents.
    """

    def __init__(self, folder: Path, index: CacheIndex) -> None:
        self.folder, self.index = folder, index
        self.case_ids = tuple(record.case_id for record in index.records)

    def __len__(self) -> int:
        """Count the cases."""
        return len(self.case_ids)

    def __getstate__(self) -> dict[str, Any]:
        """Leave the mapping and what was checked behind: they belong to a process."""
        return {name: value for name, value in self.__dict__.items() if name not in ("_bytes", "_checked")}

    def image(self, row: int) -> NDArray[Any]:
        """Give the processed image `(C, *S)`, read-only: a view of the disk, decompressed where it is large."""
        return self._whole(self.index.records[row].image, row)

    def mask(self, row: int) -> NDArray[np.uint8] | None:
        """Give the processed mask, `(1, *S)` or `(K, *S)`, like `image`; None without truth."""
        record = self.index.records[row].mask
        return None if record is None else self._whole(record, row)

    def reference(self, row: int) -> NDArray[np.uint8] | None:
        """Give the mask on its native grid, like `image`; None without truth."""
        record = self.index.records[row].reference
        return None if record is None else self._whole(record, row)

    def image_patch(self, row: int, start: Sequence[int], stop: Sequence[int]) -> NDArray[Any]:
        """Read a box of the processed image, and of the disk little more than that.

        Args:
            row: The case.
            start: First voxel in the order of the axes S.
            stop: The voxel after the last. What lies outside of the image is left out.

        Returns:
            `(C, *box)`, not to be written to (a view of the disk where the case is small).

        Raises:
            DataError: The bytes have changed since the cache was made, or nothing of the box lies within the image.
        """
        return self._box(self.index.records[row].image, row, start, stop)

    def mask_patch(self, row: int, start: Sequence[int], stop: Sequence[int]) -> NDArray[np.uint8] | None:
        """Read a box of the processed mask, as `image_patch`; None without truth."""
        record = self.index.records[row].mask
        return None if record is None else self._box(record, row, start, stop)

    def locations(self, row: int) -> tuple[NDArray[np.int32], ...]:
        """Give up to 4096 voxels of each foreground class, drawn when the cache was made.

        Returns:
            One array `(n, len(S))` for each code from 1 to the greatest one of this case, or for each plane; n = 0 for
            a class that is absent. Empty without truth or without foreground.
        """
        record = self.index.records[row]
        if record.locations is None:
            return ()
        ends = np.cumsum(record.location_counts)[:-1]
        return tuple(np.split(self._whole(record.locations, row), ends))

    def trace(self, row: int) -> CaseTrace:
        """Give the way back to the native grid."""
        return CaseTrace.from_plain(self.index.records[row].trace)

    def grid(self, row: int) -> tuple[int, ...]:
        """Give the processed spatial shape."""
        return self.index.records[row].image.shape[1:]

    def channels(self, row: int) -> int:
        """Give the number of channels."""
        return self.index.records[row].image.shape[0]

    @cached_property
    def rows(self) -> dict[str, int]:
        """The row of each case id."""
        return {case_id: row for row, case_id in enumerate(self.case_ids)}

    @cached_property
    def _bytes(self) -> mmap:
        """Map the file."""
        with (self.folder / PACKED).open("rb") as file:
            return mmap(file.fileno(), 0, access=ACCESS_READ)

    @cached_property
    def _checked(self) -> set[int]:
        """First bytes of the records whose checksum this process has compared."""
        return set()

    def _whole(self, record: ArrayRecord, row: int) -> NDArray[Any]:
        """Give all of an array."""
        if record.edge:
            whole = self._box(record, row, [0] * (len(record.shape) - 1), record.shape[1:])
            whole.setflags(write=False)
            return whole
        self._check(record, row)
        return read_plain(self._bytes, record)

    def _box(self, record: ArrayRecord, row: int, start: Sequence[int], stop: Sequence[int]) -> NDArray[Any]:
        """Give a clipped box of an array."""
        grid = record.shape[1:]
        low = [max(0, first) for first in start]
        high = [min(last, side) for last, side in zip(stop, grid, strict=True)]
        if any(last <= first for first, last in zip(low, high, strict=True)):
            where, todo = f"case {self.case_ids[row]}", "Check the patch's position"
            text = f"{list(start)} to {list(stop)}"
            raise DataError(expected_got(where, "a patch outside of the image", f"within {list(grid)}", text, todo))
        self._check(record, row)
        if not record.edge:
            box: NDArray[Any] = read_plain(self._bytes, record)[
                (slice(None), *(slice(first, last) for first, last in zip(low, high, strict=True)))
            ]
            return box
        try:
            return read_box(self._bytes, record, low, high)
        except DamagedBlockError as error:
            raise self._damaged(row) from error

    def _check(self, record: ArrayRecord, row: int) -> None:
        """Compare a record's checksum when this process first reads it."""
        if record.offset in self._checked:
            return
        try:
            check_head(self._bytes, record)
        except DamagedBlockError as error:
            raise self._damaged(row) from error
        self._checked.add(record.offset)

    def _damaged(self, row: int) -> DataError:
        todo = f"Delete {self.folder.name} in data.preparation.cache_dir (it is made anew) and check the disk"
        what = "the cached case has changed on the disk"
        return DataError(expected_got(f"case {self.case_ids[row]}", what, "its checksum", "another", todo))


def open_cache(folder: Path, key: str, case_ids: Sequence[str], make: Callable[[str], ProcessedCase]) -> CaseCache:
    """Open a cache; make it first where it is missing or damaged. One process makes it while the others wait.

    Args:
        folder: Parent of all caches, made if need be.
        key: Hash of everything that the arrays depend on.
        case_ids: The cases, in the order of the manifest.
        make: Gives one processed case; called in several threads.

    Returns:
        The whole cache.

    Raises:
        DataError: It cannot be written, or a case cannot be processed.
    """
    target = folder / key[:32]
    found = _read(target, key, case_ids)
    if found is not None:
        return found
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = FileLock(folder / f"{target.name}.lock")
        lock.acquire()
    except OSError as error:
        todo = "Set data.preparation.cache_dir to a folder that you may write to"
        text = f"{folder}: cannot hold a cache, expected a folder to write to, got {error.strerror}. {todo}."
        raise DataError(text) from error
    try:
        found = _read(target, key, case_ids)
        if found is None:
            if target.exists():
                _log.warning("%s: the cache is damaged and is made anew", target)
            write_cache(target, key, case_ids, make)
            found = _read(target, key, case_ids)
    finally:
        lock.release()
    if found is None:
        raise DataError(f"{target}: unreadable after writing, expected a whole cache, got another. Check the disk.")
    return found


def existing_cache(folder: Path, key: str, case_ids: Sequence[str]) -> CaseCache | None:
    """Open a cache that was made before; see `open_cache`.

    Returns:
        None where it is missing or damaged.
    """
    return _read(folder / key[:32], key, case_ids)


def _read(target: Path, key: str, case_ids: Sequence[str]) -> CaseCache | None:
    """Open a cache if it is whole: its checksum, key, cases and size fit."""
    try:
        index = CacheIndex.from_json((target / INDEX).read_text(encoding="utf-8"))
        size_bytes = (target / PACKED).stat().st_size
    except (OSError, ValueError, KeyError, TypeError):
        return None
    cache = CaseCache(target, index)
    fits = index.key == key and index.size_bytes == size_bytes and cache.case_ids == tuple(case_ids)
    return cache if fits else None
