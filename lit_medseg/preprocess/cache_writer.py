"""Writing a cache so that it is whole or not there."""

import errno
import os
import shutil
import sys
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from lit_medseg.errors import DataError
from lit_medseg.preprocess.cache_blocks import EncodedArray, encode_array
from lit_medseg.preprocess.cache_index import ArrayRecord, CacheIndex, CaseRecord
from lit_medseg.preprocess.cache_locations import class_locations
from lit_medseg.preprocess.processed_case import ProcessedCase

PACKED, INDEX = "cases.bin", "index.json"
_ALIGN_BYTES = 64
_THREADS = min(8, os.cpu_count() or 1)
_AHEAD_BYTES = 4 << 30
_WORKING_COPIES = 8
"""A case takes about this many times its processed size while it is made: float copies, labels, compressed blocks."""


@dataclass(frozen=True)
class _EncodedCase:
    """A case as bytes; `reference_is_mask` where the mask's bytes serve for both."""

    case_id: str
    image: EncodedArray
    mask: EncodedArray | None
    reference: EncodedArray | None
    reference_is_mask: bool
    locations: EncodedArray | None
    location_counts: tuple[int, ...]
    trace: dict[str, Any]
    raw_bytes: int


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


def _in_threads(case_ids: Sequence[str], make: Callable[[str], ProcessedCase]) -> Iterator[_EncodedCase]:
    """Process and compress ahead in threads, and give the cases in order.

    Threads and not processes: decoding, NumPy, SciPy, OpenCV, SimpleITK and blosc2 leave Python's lock (measured beside
    N4, resampling and non-local means: another thread ran for 74, 97 and 82% of the time), and no array has to travel
    through a pipe. The first case goes alone: its size says how many may be in memory at once.
    """
    pending, ahead, largest = deque[Future[_EncodedCase]](), 0, 1
    with ThreadPoolExecutor(_THREADS) as pool:
        try:
            for case_id in case_ids:
                pending.append(pool.submit(lambda each: _encode(make(each)), case_id))
                while len(pending) > ahead:
                    case = pending.popleft().result()
                    largest = max(largest, case.raw_bytes)
                    ahead = _most_ahead(largest)
                    yield case
            while pending:
                yield pending.popleft().result()
        finally:
            for future in pending:
                future.cancel()


def _most_ahead(raw_bytes: int) -> int:
    """Give the number of cases that may wait or be worked on, by the size of the largest one so far."""
    return int(min(2 * _THREADS, _AHEAD_BYTES // (_WORKING_COPIES * raw_bytes)))


def _with_progress(cases: Iterator[_EncodedCase], total: int) -> Iterator[_EncodedCase]:
    """Show a bar on a terminal, nothing elsewhere."""
    if not sys.stderr.isatty():
        yield from cases
        return
    from rich.console import Console  # noqa: PLC0415 - not needed without a terminal
    from rich.progress import track  # noqa: PLC0415

    yield from track(cases, description="preprocessing", total=total, console=Console(stderr=True), transient=True)


def _encode(case: ProcessedCase) -> _EncodedCase:
    """Compress the arrays of a case and note where its classes are; a reference that equals the mask is kept once."""
    mask, reference = case.mask, case.reference
    same = mask is not None and reference is not None and np.array_equal(mask, reference)
    places = () if mask is None else class_locations(mask, case.case_id)
    arrays = [array for array in (case.image, mask, reference) if array is not None]
    return _EncodedCase(
        case_id=case.case_id,
        image=encode_array(case.image),
        mask=None if mask is None else encode_array(mask),
        reference=None if reference is None or same else encode_array(reference),
        reference_is_mask=same,
        locations=encode_array(np.concatenate(places)) if places else None,
        location_counts=tuple(len(each) for each in places),
        trace=case.trace.plain(),
        raw_bytes=sum(array.nbytes for array in arrays),
    )


def _append_case(file: BinaryIO, case: _EncodedCase) -> CaseRecord:
    """Write the arrays of a case."""
    image = _append(file, case.image)
    mask = None if case.mask is None else _append(file, case.mask)
    reference = mask if case.reference_is_mask else None
    if case.reference is not None:
        reference = _append(file, case.reference)
    locations = None if case.locations is None else _append(file, case.locations)
    return CaseRecord(case.case_id, image, mask, reference, case.trace, locations, case.location_counts)


def _append(file: BinaryIO, array: EncodedArray) -> ArrayRecord:
    """Write one array at the next aligned byte."""
    _pad(file)
    record = array.record(file.tell())
    file.writelines(array.parts)
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
