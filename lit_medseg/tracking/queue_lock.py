"""One writer per run folder."""

import errno
import fcntl
import logging
import os
import time
from pathlib import Path

from lit_medseg.errors import TrackingError, expected_got

_log = logging.getLogger(__name__)
_HELD = (errno.EACCES, errno.EAGAIN)
_POLL_S = 0.1


class QueueLock:
    """A lock that the kernel lets go when its process ends, however it ends.

    It belongs to the process, not to the open file: worker processes that are forked from the owner do not keep it.
    Some clusters mount their file system without locks: there the run's lease alone keeps others away.

    Args:
        path: The lock file.
        wait_s: How long another process may still hold it.

    Raises:
        TrackingError: Another process holds it.
    """

    def __init__(self, path: Path, wait_s: float = 0.0) -> None:
        self._handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
        deadline = time.monotonic() + wait_s
        while not self._take(path.parent.name):
            if time.monotonic() >= deadline:
                self.release()
                what, expected = "its records are in use", "no other process at work"
                text = expected_got(f"run {path.parent.name}", what, expected, "one", "Wait for it or end it")
                raise TrackingError(text)
            time.sleep(_POLL_S)

    def _take(self, run: str) -> bool:
        """Try once; where there are no locks, do without."""
        try:
            fcntl.lockf(self._handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            if error.errno in _HELD:
                return False
            _log.warning("run %s: this file system has no locks (%s), the lease has to do.", run, error.strerror)
        return True

    def release(self) -> None:
        """Let go; a second call does nothing."""
        if self._handle >= 0:
            os.close(self._handle)
            self._handle = -1
