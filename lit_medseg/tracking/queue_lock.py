"""One writer per run folder."""

import fcntl
import os
from pathlib import Path

from lit_medseg.errors import TrackingError, expected_got


class QueueLock:
    """A lock that the kernel lets go when its process ends, however it ends.

    It belongs to the process, not to the open file: worker processes that are forked from the owner do not keep it.

    Args:
        path: The lock file.

    Raises:
        TrackingError: Another process holds it.
    """

    def __init__(self, path: Path) -> None:
        self._handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            fcntl.lockf(self._handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(self._handle)
            run = path.parent.name
            text = expected_got(
                f"run {run}", "its records are in use", "no other process at work", error, "Wait for it or end it"
            )
            raise TrackingError(text) from error

    def release(self) -> None:
        """Let go; a second call does nothing."""
        if self._handle >= 0:
            os.close(self._handle)
            self._handle = -1
