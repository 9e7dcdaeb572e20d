"""Processed cases on this machine's disk: written once, mapped by every worker and rank."""

import logging
from collections.abc import Callable, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from filelock import FileLock
from numpy.typing import NDArray

from lit_medseg.errors import DataError
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
        """Leave the mapping behind: it belongs to a process."""
        return {name: value for name, value in self.__dict__.items() if name != "_bytes"}

    def image(self, row: int) -> NDArray[Any]:
        """Give the processed image `(C, *S)`, a read-only view of the disk."""
        return self._view(self.index.records[row].image)

    def mask(self, row: int) -> NDArray[np.uint8] | None:
        """Give the processed mask, `(1, *S)` or `(K, *S)`, a read-only view; None without truth."""
        record = self.index.records[row].mask
        return None if record is None else self._view(record)

    def reference(self, row: int) -> NDArray[np.uint8] | None:
        """Give the mask on its native grid, a read-only view; None without truth."""
        record = self.index.records[row].reference
        return None if record is None else self._view(record)

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
    def _bytes(self) -> NDArray[np.uint8]:
        """Map the file; a plain array, whose views are several times cheaper than those of a memmap."""
        return np.asarray(np.memmap(self.folder / PACKED, dtype=np.uint8, mode="r"))

    def _view(self, record: ArrayRecord) -> NDArray[Any]:
        """Look at an array in the mapped file."""
        return np.ndarray(record.shape, record.dtype, self._bytes.data, record.offset)


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
