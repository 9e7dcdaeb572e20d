"""Reading all cases of a data set, in threads."""

import contextlib
import os
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import psutil
from rich.console import Console
from rich.progress import Progress

from lit_medseg.catalogue.case import Case, Ref
from lit_medseg.catalogue.classes import Classes
from lit_medseg.catalogue.entry import Entry
from lit_medseg.catalogue.scan_case import scan_case
from lit_medseg.catalogue.stored_files import stored_files
from lit_medseg.errors import expected_got

MOST_THREADS = 16
QUIET_S = 1.0
SMALL_BYTES = 1 << 20
IN_MEMORY = 12  # compressed file to arrays, and the copies that hashing and coding make


def scan(
    folder: Path, cases: Sequence[Case], classes: Classes | None, progress: bool = True
) -> tuple[list[Entry], list[str]]:
    """Read every case, and collect every fault of every case.

    Args:
        folder: The folder that the cases' references start from.
        cases: The cases.
        classes: The declared classes; None leaves the truth unread.
        progress: Show a bar on standard error, if that is a terminal and the scan takes longer than a second.

    Returns:
        The entries of the sound cases and the faults of the others, both in the order of the cases.
    """
    entries: list[Entry] = []
    faults: list[str] = []
    # Threads are enough: decoding and hashing release the interpreter's lock.
    with ThreadPoolExecutor(reading_threads(folder, cases)) as pool:
        # Facts of cases are small, the pixels of a case are dropped in its thread.
        futures = [pool.submit(_scanned, folder, case, classes) for case in cases]
        try:
            for entry, case_faults in _with_bar(futures, progress and sys.stderr.isatty()):
                entries += [] if entry is None else [entry]
                faults += case_faults
        except BaseException:
            # Ctrl-C must not wait for the rest of a large data set.
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    return entries, faults


def _scanned(folder: Path, case: Case, classes: Classes | None) -> tuple[Entry | None, list[str]]:
    """Scan one case; what a library stumbles over in its files, or too little memory, is a fault of this case alone."""
    try:
        return scan_case(folder, case, classes)
    except Exception as error:
        got = "too little memory" if isinstance(error, MemoryError) else f"{type(error).__name__}: {error}"[:200]
        todo = "Open the files in another program, or leave the case out"
        return None, [expected_got(f"case {case.case_id}", "it cannot be read", "images", got.rstrip("."), todo)]


def reading_threads(folder: Path, cases: Sequence[Case]) -> int:
    """Choose how many cases are read at once: what the cores can do and the memory can hold."""
    threads = min(MOST_THREADS, os.cpu_count() or 1)
    shared = Counter(ref.path for case in cases for ref in (*case.images, *case.masks))
    refs = {ref.path: ref for case in cases for ref in (*case.images, *case.masks)}
    bytes_of = {path: _stored_bytes(folder, ref) / shared[path] for path, ref in refs.items()}
    largest = max((sum(bytes_of[ref.path] for ref in (*case.images, *case.masks)) for case in cases), default=0)
    if largest < SMALL_BYTES:
        return threads
    room = psutil.virtual_memory().available // 2
    return max(1, min(threads, int(room // (largest * IN_MEMORY))))


def _stored_bytes(folder: Path, ref: Ref) -> int:
    """Count the bytes behind a reference; none where files are missing: the case's own scan reports them."""
    with contextlib.suppress(OSError):
        return sum(file.stat().st_size for file in stored_files(folder, ref))
    return 0


def _with_bar(
    futures: Sequence[Future[tuple[Entry | None, list[str]]]], show: bool
) -> Iterator[tuple[Entry | None, list[str]]]:
    """Give the results in order, with a bar once the quiet time is over."""
    started = time.monotonic()
    bar: Progress | None = None
    try:
        for done, future in enumerate(futures):
            if show and bar is None and time.monotonic() - started > QUIET_S:
                bar = Progress(console=Console(stderr=True), transient=True)
                bar.add_task("Reading cases", total=len(futures), completed=done)
                bar.start()
            yield future.result()
            if bar is not None:
                bar.advance(bar.task_ids[0])
    finally:
        if bar is not None:
            bar.stop()
