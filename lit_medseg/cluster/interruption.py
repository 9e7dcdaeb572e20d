"""Whether this process was told to end."""

import os
import signal
import threading
import time
import weakref
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import FrameType

from lightning.pytorch.utilities import rank_zero_only

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Interruption:
    """Ctrl-C or SIGTERM, seen by all threads at once.

    Python runs a signal's handler between two instructions of the main thread, which never come while that waits in a
    collective for a rank that hangs. The interpreter writes the signal's number to a pipe before, which any thread can
    read. And whatever error comes up after a signal (a loader's worker that was ended by the same signal, say), the run
    was interrupted and did not fail.
    """

    def __init__(self) -> None:
        self._reading, self._writing = os.pipe()
        for end in (self._reading, self._writing):
            os.set_blocking(end, False)
            weakref.finalize(self, os.close, end)
        self._since: float | None = None
        self._raised = False

    @property
    def seconds(self) -> float | None:
        """Time since the process was told to end; None where it was not."""
        if self._since is None:
            with suppress(BlockingIOError):
                if set(os.read(self._reading, 4096)) & set(_SIGNALS):
                    self._since = time.monotonic()
        return None if self._since is None else time.monotonic() - self._since

    @property
    def happened(self) -> bool:
        """Whether the process was told to end."""
        return self.seconds is not None

    @contextmanager
    def listen(self) -> Iterator[None]:
        """Take the signals over, and give them back at the end; nothing outside the main thread, which gets none.

        The first rank raises KeyboardInterrupt, once: a second signal does not disturb the orderly end. Other ranks
        ignore both signals, which a terminal or a scheduler sends to all: the first rank ends them.
        """
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        rank = rank_zero_only.rank  # type: ignore[attr-defined]  # Lightning sets it on the function
        handler = self._raise_once if rank == 0 else signal.SIG_IGN
        earlier = {number: signal.signal(number, handler) for number in _SIGNALS}
        descriptor = signal.set_wakeup_fd(self._writing, warn_on_full_buffer=False)
        try:
            yield
        finally:
            signal.set_wakeup_fd(descriptor)
            for number, former in earlier.items():
                signal.signal(number, former)

    def _raise_once(self, signum: int, frame: FrameType | None) -> None:
        if self._since is None:
            self._since = time.monotonic()
        if not self._raised:
            self._raised = True
            raise KeyboardInterrupt
