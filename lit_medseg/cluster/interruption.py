"""Whether this process was told to end."""

import os
import signal
import sys
import threading
import time
import weakref
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import FrameType

from lightning.pytorch.utilities import rank_zero_only

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1)


class Interruption:
    """Ctrl-C, SIGTERM or SIGUSR1, seen by all threads at once.

    Python runs a signal's handler between two instructions of the main thread, which never come while that waits in a
    collective for a rank that hangs. The interpreter writes the signal's number to a pipe before, which any thread can
    read. And whatever error comes up after a signal (a loader's worker that was ended by the same signal, say), the run
    was interrupted and did not fail.

    Attributes:
        deferred: While true, a signal is only noted, and whoever set this ends the run at a good moment; a second
            Ctrl-C interrupts at once.
    """

    def __init__(self) -> None:
        self._reading, self._writing = os.pipe()
        for end in (self._reading, self._writing):
            os.set_blocking(end, False)
            weakref.finalize(self, os.close, end)
        self._first: tuple[signal.Signals, float] | None = None
        self._handled = 0
        self._raised = False
        self._lock = threading.Lock()
        self.deferred = False

    @property
    def signal_number(self) -> signal.Signals | None:
        """The first signal that told the process to end; None where none did."""
        found = self._seen()
        return None if found is None else found[0]

    @property
    def seconds(self) -> float | None:
        """Time since the process was told to end at once; None where it was not, or has the time that it needs.

        SIGUSR1 is a warning, minutes ahead of a time limit.
        """
        found = self._seen()
        return None if found is None or found[0] is signal.SIGUSR1 else time.monotonic() - found[1]

    @property
    def happened(self) -> bool:
        """Whether the process was told to end."""
        return self._seen() is not None

    @contextmanager
    def listen(self) -> Iterator[None]:
        """Take the signals over, and give them back at the end; nothing outside the main thread, which gets none.

        The first rank raises KeyboardInterrupt, once: later signals do not disturb the orderly end. Other ranks only
        take note, since a terminal or a scheduler signals all: the first rank ends them.
        """
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        earlier = {number: signal.signal(number, self._on_signal) for number in _SIGNALS}
        descriptor = signal.set_wakeup_fd(self._writing, warn_on_full_buffer=False)
        try:
            yield
        finally:
            signal.set_wakeup_fd(descriptor)
            for number, former in earlier.items():
                signal.signal(number, former)

    def _seen(self) -> tuple[signal.Signals, float] | None:
        with self._lock:
            if self._first is None:
                with suppress(BlockingIOError):
                    numbers = [number for number in os.read(self._reading, 4096) if number in _SIGNALS]
                    if numbers:
                        self._first = (signal.Signals(numbers[0]), time.monotonic())
            return self._first

    def _on_signal(self, signum: int, frame: FrameType | None) -> None:
        self._handled += 1
        if rank_zero_only.rank != 0 or self._raised:  # type: ignore[attr-defined]  # Lightning sets it on the function
            return
        if self.deferred and not (self._handled > 1 and signum == signal.SIGINT):
            if signum == signal.SIGINT:
                sys.stderr.write("stopping after this step, with a checkpoint; Ctrl-C again stops at once.\n")
            return
        self._raised = True
        raise KeyboardInterrupt
