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

    The first signal says why the run ends: what follows a SIGUSR1 is the time limit that it warned of, and the job
    still goes back into its queue. A Ctrl-C after it counts in its place: a person is there, who wants no other start.
    Later signals never cost the checkpoint that is being made, but for a second Ctrl-C.

    Attributes:
        deferred: While true, a signal is only noted, and whoever set this ends the run at a good moment; a second
            Ctrl-C interrupts at once.
    """

    def __init__(self) -> None:
        self._reading, self._writing = os.pipe()
        for end in (self._reading, self._writing):
            os.set_blocking(end, False)
            weakref.finalize(self, os.close, end)
        self._arrived: dict[signal.Signals, float] = {}
        self._interrupts = 0
        self._raised = False
        self._lock = threading.Lock()
        self.deferred = False

    @property
    def signal_number(self) -> signal.Signals | None:
        """The signal that told the process to end, see above; None where none did."""
        arrived = self._seen()
        first = next(iter(arrived), None)
        return signal.SIGINT if first is signal.SIGUSR1 and signal.SIGINT in arrived else first

    @property
    def seconds(self) -> float | None:
        """Time since the process was told to end at once; None where it was not, or has the time that it needs.

        SIGUSR1 is a warning, minutes ahead of a time limit; a SIGTERM after it says that the limit is reached.
        """
        since = [moment for number, moment in self._seen().items() if number is not signal.SIGUSR1]
        return time.monotonic() - min(since) if since else None

    @property
    def happened(self) -> bool:
        """Whether the process was told to end."""
        return bool(self._seen())

    @contextmanager
    def listen(self) -> Iterator[None]:
        """Take the signals over, and give them back at the end; nothing outside the main thread, which gets none.

        The first rank raises KeyboardInterrupt, once: later ones do not disturb the orderly end. Other ranks only
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

    def _seen(self) -> dict[signal.Signals, float]:
        """Read what has arrived since the last call; give each signal with its time, the first one first."""
        with self._lock:
            with suppress(BlockingIOError):
                for number in os.read(self._reading, 4096):
                    if number in _SIGNALS:
                        self._arrived.setdefault(signal.Signals(number), time.monotonic())
            return dict(self._arrived)

    def _on_signal(self, signum: int, frame: FrameType | None) -> None:
        self._interrupts += signum == signal.SIGINT
        if rank_zero_only.rank != 0 or self._raised:  # type: ignore[attr-defined]  # Lightning sets it on the function
            return
        if self.deferred and self._interrupts < 2:
            if signum == signal.SIGINT:
                sys.stderr.write("stopping after this step, with a checkpoint; Ctrl-C again stops at once.\n")
            return
        self._raised = True
        raise KeyboardInterrupt
