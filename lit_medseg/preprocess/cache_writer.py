"""Writing a cache so that it is whole or not there."""

import errno
import os
import shutil
import sys
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from lit_medseg.errors import DataError
from lit_medseg.preprocess.cache_index import ArrayRecord, CacheIndex, CaseRecord
from lit_medseg.preprocess.processed_case import ProcessedCase

PACKED, INDEX = "cases.bin", "index.json"
_ALIGN_BYTES = 64
_THREADS = min(8, os.cpu_count() or 1)


def write_cache(folder: Path, key: str, case_ids: Sequence[str], make: Callable[[str], ProcessedCase]) -> None:
    """Process cases in threads and pack them into `folder`, which appears only when it is whole.

    The caller holds the lock of this cache: what an interrupted writer left behind is removed first.

    Args:
        folder: The cache to make; an unusable one there is replaced.
        key: Hash of what the cache is made of.
        case_ids: Order of the cases.
        make: Gives one processed case; called in several threads.

    Raises:
        DataError: The disk is full or cannot be written to, or a case cannot be processed.
    """
    temporary = folder.with_name(f"{folder.name}.writing")
    try:
        shutil.rmtree(temporary, ignore_errors=True)
        temporary.mkdir(parents=True)
        _pack(temporary, key, case_ids, make)
        if folder.exists():
            shutil.rmtree(folder)
        temporary.replace(folder)
    except OSError as error:
        raise _disk_fault(folder, error) from error
    finally:
        # Also after Ctrl-C; only a kill leaves it to the next writer.
        shutil.rmtree(temporary, ignore_errors=True)


def _pack(folder: Path, key: str, case_ids: Sequence[str], make: Callable[[str], ProcessedCase]) -> None:
    """Write both files and bring them to the disk."""
    records = list[CaseRecord]()
    with (folder / PACKED).open("wb") as file:
        for case in _with_progress(_in_threads(case_ids, make), len(case_ids)):
            records.append(_append_case(file, case))
        _pad(file)
        size_bytes = file.tell()
        file.flush()
        os.fsync(file.fileno())
    with (folder / INDEX).open("w", encoding="utf-8") as text:
        text.write(CacheIndex(key, size_bytes, tuple(records)).to_json())
        text.flush()
        os.fsync(text.fileno())


def _in_threads(case_ids: Sequence[str], make: Callable[[str], ProcessedCase]) -> Iterator[ProcessedCase]:
    """Process ahead in threads (decoding leaves Python's lock), a few cases only, and give them in order."""
    pending = deque[Future[ProcessedCase]]()
    with ThreadPoolExecutor(_THREADS) as pool:
        try:
            for case_id in case_ids:
                pending.append(pool.submit(make, case_id))
                if len(pending) > 2 * _THREADS:
                    yield pending.popleft().result()
            while pending:
                yield pending.popleft().result()
        finally:
            for future in pending:
                future.cancel()


def _with_progress(cases: Iterator[ProcessedCase], total: int) -> Iterator[ProcessedCase]:
    """Show a bar on a terminal, nothing elsewhere."""
    if not sys.stderr.isatty():
        yield from cases
        return
    from rich.console import Console  # noqa: PLC0415 - not needed without a terminal
    from rich.progress import track  # noqa: PLC0415

    yield from track(cases, description="preprocessing", total=total, console=Console(stderr=True), transient=True)


def _append_case(file: BinaryIO, case: ProcessedCase) -> CaseRecord:
    """Write the arrays of a case; a reference that equals the mask is not written twice."""
    image = _append(file, case.image)
    mask = None if case.mask is None else _append(file, case.mask)
    if case.reference is None:
        reference = None
    elif case.mask is not None and np.array_equal(case.mask, case.reference):
        reference = mask
    else:
        reference = _append(file, case.reference)
    return CaseRecord(case.case_id, image, mask, reference, case.trace.plain())


def _append(file: BinaryIO, array: NDArray[np.generic]) -> ArrayRecord:
    """Write one array at the next aligned byte."""
    _pad(file)
    stored = np.ascontiguousarray(array, dtype=array.dtype.newbyteorder("<"))
    record = ArrayRecord(file.tell(), tuple(stored.shape), stored.dtype.str)
    file.write(stored.data)
    return record


def _pad(file: BinaryIO) -> None:
    """Move to a multiple of 64 bytes, a processor's cache line; never leave the file empty."""
    file.write(b"\0" * (-file.tell() % _ALIGN_BYTES or (0 if file.tell() else _ALIGN_BYTES)))


def _disk_fault(folder: Path, error: OSError) -> DataError:
    """Say what the disk refused; the path stays relative to what the YAML gave."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        what, todo = "the disk is full", "Free space, or set data.preparation.cache_dir to a folder on a larger disk"
    else:
        what = "the cache cannot be written"
        todo = "Set data.preparation.cache_dir to a folder that you may write to"
    return DataError(
        f"{folder.parent}: {what}, expected room for processed cases, got {error.strerror or error}. {todo}."
    )
