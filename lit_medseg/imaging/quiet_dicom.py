"""Keep pydicom's remarks on the letter of the standard out of the program's output."""

import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from threading import Lock

_LOCK = Lock()
_INSIDE = [0]
_FILTERS = ExitStack()


@contextmanager
def quiet_dicom() -> Iterator[None]:
    """Silence warnings while DICOM files are read or written; real faults are raised as errors anyway.

    Python keeps one list of warning filters for all threads, so the first thread that comes silences and the last one
    that goes restores.

    Yields:
        Nothing.
    """
    with _LOCK:
        _INSIDE[0] += 1
        if _INSIDE[0] == 1:
            _FILTERS.enter_context(warnings.catch_warnings())
            warnings.simplefilter("ignore")
    try:
        yield
    finally:
        with _LOCK:
            _INSIDE[0] -= 1
            if _INSIDE[0] == 0:
                _FILTERS.close()
