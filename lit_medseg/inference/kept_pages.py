"""Memory that is given back and asked for again, window after window, without the system's part in it."""

import ctypes
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor

_TRIM_THRESHOLD, _MMAP_THRESHOLD, _MMAP_MAX = -1, -3, -4
"""Parameters of glibc's `mallopt`."""
_LARGEST_THRESHOLD = 32 * 2**20
"""What glibc raises its own threshold to, in time, when such large blocks come and go."""


_ROOM = 48 * 2**20
"""For what is small: it would else be cut from the block that a window's logits left, which then do not fit again."""
_WALL = 4 * 2**20
_TRIES = 16


@contextmanager
def kept_pages() -> Iterator[None]:
    """Keep large blocks within the process while the context lasts, and give them back at its end.

    glibc asks the system for every block over 32 MiB and returns it at once, so that each window's logits come in fresh
    pages, which the kernel clears one by one: with 100 classes that took longer than adding them. Elsewhere than with
    glibc nothing is changed.
    """
    libc = ctypes.CDLL(None) if sys.platform == "linux" else None
    if libc is None or not hasattr(libc, "mallopt") or not hasattr(libc, "malloc_trim"):
        yield
        return
    fence: list[Tensor] = []
    try:
        libc.mallopt(_MMAP_MAX, 0)
        libc.mallopt(_TRIM_THRESHOLD, 2**31 - 1)
        fence = _fenced_room()
        yield
    finally:
        del fence
        # what the thresholds rise to by themselves in a process that works on large tensors: mallopt ended that
        libc.mallopt(_MMAP_MAX, 65536)
        libc.mallopt(_MMAP_THRESHOLD, _LARGEST_THRESHOLD)
        libc.mallopt(_TRIM_THRESHOLD, 2 * _LARGEST_THRESHOLD)
        libc.malloc_trim(0)


def _fenced_room() -> list[Tensor]:
    """Leave a free block in the heap, and give what lies behind it: it keeps the block from growing into the next.

    Untouched, they take addresses and no memory. Where even those are limited (`ulimit -v`) there is no fence.
    """
    held: list[Tensor] = []
    for _ in range(_TRIES):  # gaps of earlier work are filled first
        try:
            room, wall = torch.empty(_ROOM, dtype=torch.uint8), torch.empty(_WALL, dtype=torch.uint8)
        except RuntimeError:
            return []
        held.append(wall)
        if 0 < wall.data_ptr() - room.data_ptr() < _ROOM + 2**16:
            break
        held.append(room)
    return held
