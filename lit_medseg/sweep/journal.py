"""The journal file of a study, in whole lines whatever happens to who writes them."""

import errno
import fcntl
import json
import os
import time
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from optuna.storages.journal import JournalFileBackend, JournalFileOpenLock, JournalStorage

from lit_medseg.errors import ConfigError, expected_got

if TYPE_CHECKING:
    from collections.abc import Iterator

_HEAD = b'{"op_code":'
_GRACE_S = 30
"""A lock file whose owner does not let go for so long belongs to a process that was killed, or that hangs."""
_HANG_S = 30.0
_POLL_S = 0.01


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
            _wait_for(file.fileno())
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
            with suppress(RuntimeError):  # somebody thought that this process was gone, and took the lock file away
                self._lock.release()


def _wait_for(handle: int) -> None:
    """Wait for a writer that hangs and has lost its lock file: it would go on where the journal ended for it.

    The kernel lets go of this lock when the file is closed. A file system without such locks does without.

    Raises:
        OSError: That writer still hangs.
    """
    deadline = time.monotonic() + _HANG_S
    while True:
        try:
            fcntl.lockf(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            if error.errno not in (errno.EAGAIN, errno.EACCES):
                return
            if time.monotonic() > deadline:
                raise
            time.sleep(_POLL_S)
        else:
            return


def open_journal(path: Path) -> JournalStorage:
    """Open a journal as a storage of studies.

    Raises:
        OSError: It cannot be read or made.
        ConfigError: The file is another's: it is left alone.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.exists():
        with path.open("rb") as file:
            head = file.read(len(_HEAD))
        if not _HEAD.startswith(head):
            todo = "Name another file, which need not be there"
            raise ConfigError(expected_got(path.name, "it is no journal of studies", "one, or no file", head, todo))
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
