"""Find out whether a disk is full where a process that died of that could not say so."""

import os
import tempfile
from pathlib import Path

from lit_medseg.cluster.blame import Blame, blame_of

_ROOM = 1 << 20
"""Bytes: what a few lines of output, a state and a journal need many times over."""


def is_full(folder: Path) -> bool:
    """Try whether nothing more can be written where a folder is.

    The last words of a process that dies of a full disk would have to be written there too. Free space as the system
    counts it knows nothing of quotas, so a MiB is written and taken away again.

    Args:
        folder: Any; one that does not exist is not full.
    """
    try:
        with tempfile.TemporaryFile(dir=folder, buffering=0) as file:
            rest = _ROOM
            while rest > 0:
                rest -= file.write(bytes(rest))
            os.fsync(file.fileno())
    except OSError as error:
        return blame_of(error) is Blame.DISK
    return False
