"""The journal file of a study, in whole lines whatever happens to who writes them."""

import json
import os
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from optuna.storages.journal import JournalFileBackend, JournalFileOpenLock, JournalStorage

if TYPE_CHECKING:
    from collections.abc import Iterator

_GRACE_S = 30
"""A lock whose owner does not let go for so long belongs to a process that was killed."""


class WholeLineJournal(JournalFileBackend):
    """A journal that a killed writer or a full disk cannot spoil.

    optuna's own adds a line behind whatever is there: a line that was cut short would then hold two halves, and nobody
    could read the study again. Here a writer first takes away what is no whole line, and takes its own part back where
    the disk is full.

    Args:
        path: The file; it is made where it is missing.
    """

    def __init__(self, path: Path) -> None:
        # the lock for shared file systems: NFS 3 and later make a file exclusively
        super().__init__(str(path), JournalFileOpenLock(str(path), grace_period=_GRACE_S))

    def append_logs(self, logs: list[dict[str, Any]]) -> None:
        """Add lines at the end, all or none.

        Raises:
            OSError: The disk is full or gone.
        """
        content = b"".join(json.dumps(log, separators=(",", ":")).encode() + b"\n" for log in logs)
        with self._locked(), open(self._file_path, "r+b", buffering=0) as file:  # noqa: PTH123 (optuna keeps a text)
            end = _whole_size(file.fileno())
            os.ftruncate(file.fileno(), end)
            try:
                done = 0
                while done < len(content):
                    done += os.pwrite(file.fileno(), content[done:], end + done)
                os.fsync(file.fileno())
            except OSError:
                os.ftruncate(file.fileno(), end)
                raise

    @contextmanager
    def _locked(self) -> "Iterator[None]":
        self._lock.acquire()
        try:
            yield
        finally:
            self._lock.release()


def open_journal(path: Path) -> JournalStorage:
    """Open a journal as a storage of studies."""
    path.parent.mkdir(parents=True, exist_ok=True)
    return JournalStorage(WholeLineJournal(path))


def _whole_size(handle: int) -> int:
    """Count the bytes up to the last line's end."""
    end = os.fstat(handle).st_size
    while end > 0:
        start = max(0, end - 65536)
        cut = os.pread(handle, end - start, start).rfind(b"\n")
        if cut >= 0:
            return start + cut + 1
        end = start
    return 0
