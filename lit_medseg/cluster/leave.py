"""The end of a process whose main thread cannot be asked."""

import multiprocessing
import os
import sys
from contextlib import suppress


def leave_at_once(status: int) -> None:
    """Leave the process from any thread, and leave none of its loaders' workers behind.

    Args:
        status: Its exit status.
    """
    for child in multiprocessing.active_children():
        child.kill()
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError):
            stream.flush()
    os._exit(status)
