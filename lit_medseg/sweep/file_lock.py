"""A lock between the workers of a sweep, on this host and on others."""

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from lit_medseg.errors import TrackingError, expected_got

_POLL_S = 0.02


@contextmanager
def file_lock(path: Path, patience_s: float = 600.0) -> Iterator[None]:
    """Hold a lock that the kernel lets go when its process ends, however it ends.

    On a shared file system the lock holds between hosts where that supports `fcntl` (NFS 4, GPFS, Lustre mounted with
    `flock`). Where it holds on one host alone, two workers may draw at the same time: still no trial is run twice.

    Args:
        path: The lock file; it is made with its folder.
        patience_s: How long to wait for another holder.

    Raises:
        TrackingError: Another process does not let go.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        _acquire(handle, path, patience_s)
        yield
    finally:
        os.close(handle)


def _acquire(handle: int, path: Path, patience_s: float) -> None:
    deadline = time.monotonic() + patience_s
    while True:
        try:
            fcntl.lockf(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            if time.monotonic() > deadline or not isinstance(error, BlockingIOError | PermissionError):
                where, todo = f"sweep {path.parent.name}", "End the worker that hangs, or mount with locks"
                text = expected_got(where, "its lock cannot be had", "a free lock", error, todo)
                raise TrackingError(text) from error
            time.sleep(_POLL_S)
        else:
            return
