"""What a failure is to be blamed on, told where it happens: a sweep tries again what its settings could not help."""

import errno
import re
from collections.abc import Iterator
from enum import StrEnum

from lit_medseg.errors import ClusterError, TrackingError


class Blame(StrEnum):
    """What a run's failure is to be blamed on."""

    SETTINGS = ""
    """The run itself: the same settings would fail again."""
    MEMORY = "memory"
    """They need more memory than there is."""
    LOST = "lost"
    """A process of it was killed, or its connection broke: it goes on from its checkpoint."""
    DISK = "disk"
    """The disk is full or read-only: nothing else would succeed either."""
    AROUND = "around"
    """Something else was out of order for a while: the tracking store, another process at the run."""


EXIT_STATUS = {Blame.AROUND: 69, Blame.MEMORY: 71, Blame.DISK: 74}
"""With which a `fit` that has a parent (`--parent_pid`) ends where it fails before there is a run to note that in:
EX_UNAVAILABLE, EX_OSERR and EX_IOERR of sysexits.h. For anybody else these are 2, or 1."""
_ERRNO = {
    **dict.fromkeys((errno.ENOSPC, errno.EDQUOT, errno.EROFS), Blame.DISK),
    **dict.fromkeys((errno.EIO, errno.ESTALE), Blame.AROUND),
    errno.ENOMEM: Blame.MEMORY,
}
_TEXTS = (
    (re.compile(r"DataLoader worker .*(killed by signal|exited unexpectedly)", re.DOTALL), Blame.LOST),
    (
        re.compile(r"out of memory|can't allocate memory|_ALLOC_FAILED|Cannot allocate memory|Failed to CUDA .*alloc"),
        Blame.MEMORY,
    ),
    (re.compile(r"PytorchStreamWriter failed writing|No space left on device|Disk quota exceeded"), Blame.DISK),
    # a loader's worker hands its OSError on as text, without the number
    (re.compile(r"\[Errno (5|116)\]|Input/output error|Stale file handle"), Blame.AROUND),
    # a broken GPU or driver; a settings' own fault is a CUDA error too (device-side assert: a label out of range)
    (
        re.compile(
            r"no CUDA-capable device|busy or unavailable|uncorrectable ECC|CUDA unknown error"
            r"|CUDA error: initialization error|CUDA driver initialization failed|Found no NVIDIA driver"
            r"|NVIDIA driver on your system is too old|driver version is insufficient|GPU has fallen off the bus"
            r"|can not run on your system"
        ),
        Blame.AROUND,
    ),
)
"""What torch, NCCL and Lightning say in errors that have no type or number of their own, or write of a loader's."""


def blame_of(error: BaseException) -> Blame:
    """Find out what an error, or what it came from, is to be blamed on.

    Args:
        error: As it was caught.
    """
    found = {_single(one) for one in _chain(error)}
    for blame in (Blame.DISK, Blame.MEMORY, Blame.LOST):
        if blame in found:
            return blame
    around = isinstance(error, TrackingError | ClusterError) or Blame.AROUND in found
    return Blame.AROUND if around else Blame.SETTINGS


def _chain(error: BaseException) -> Iterator[BaseException]:
    """Give an error, and those that it was raised from, or that it was raised beside; each once, also in a ring."""
    current: BaseException | None = error
    seen = set[int]()
    while current is not None and id(current) not in seen:
        yield current
        seen.add(id(current))
        current = current.__cause__ or (None if current.__suppress_context__ else current.__context__)


def _single(error: BaseException) -> Blame:
    # by name: those who have a torch.OutOfMemoryError have imported torch, others need not
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError":
        return Blame.MEMORY
    if isinstance(error, OSError) and error.errno in _ERRNO:
        return _ERRNO[error.errno]
    origin = type(error).__module__.partition(".")[0]
    if origin == "lightning" or (origin in ("builtins", "torch") and isinstance(error, RuntimeError | OSError)):
        return next((blame for pattern, blame in _TEXTS if pattern.search(str(error))), Blame.SETTINGS)
    return Blame.SETTINGS
