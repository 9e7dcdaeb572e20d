"""The file that was read last, while the channels of one case are read."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar, cast

Content = TypeVar("Content")


class _Kept(threading.local):
    """What one thread keeps; nothing outside of `keep_last_file`."""

    keeps: bool = False
    path: Path | None = None
    content: object = None


_KEPT = _Kept()


@contextmanager
def keep_last_file() -> Iterator[None]:
    """Keep the last file of several channels in memory, so that its next channel needs no second decompression.

    For the reading of one case, in this thread; at its end nothing is kept. What a file holds is in memory anyway while
    one of its channels is read, so the peak stays.
    """
    _KEPT.keeps = True
    try:
        yield
    finally:
        _KEPT.keeps, _KEPT.path, _KEPT.content = False, None, None


def kept_or_read(path: Path, read: Callable[[], Content]) -> Content:
    """Give the content of a file: the one kept, where it is the last one's, else read.

    Args:
        path: The file.
        read: Reads it.

    Returns:
        What `read` gives or gave for this path; not to be written to.
    """
    if not _KEPT.keeps:
        return read()
    if path != _KEPT.path:
        _KEPT.path, _KEPT.content = None, None  # the old file leaves before the new one comes
        _KEPT.path, _KEPT.content = path, read()
    return cast("Content", _KEPT.content)
