"""Signals to a process that starts children: noted, so that it can stop them in order."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1)


class ParentSignals:
    """Ctrl-C, SIGTERM and SIGUSR1 (a scheduler's warning) while children run.

    The first is noted only. A Ctrl-C takes the place of another one: a person wants no requeue. A second Ctrl-C
    interrupts at once. It imports neither torch nor Lightning, as `Interruption` does.

    Attributes:
        first: The first signal, or a later Ctrl-C; None where none came.
    """

    def __init__(self) -> None:
        self.first: signal.Signals | None = None
        self._interrupts = 0

    @property
    def status(self) -> int:
        """The exit status of a process that ends for that signal: 128 and its number; 0 where none came."""
        return 0 if self.first is None else 128 + self.first

    @contextmanager
    def listen(self) -> Iterator[None]:
        """Take the signals over, and give them back at the end; nothing outside the main thread, which gets none."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        earlier = {number: signal.signal(number, self._note) for number in _SIGNALS}
        try:
            yield
        finally:
            for number, former in earlier.items():
                signal.signal(number, former)

    def _note(self, signum: int, frame: FrameType | None) -> None:
        if self.first is None or signum == signal.SIGINT:
            self.first = signal.Signals(signum)
        if signum == signal.SIGINT:
            self._interrupts += 1
            if self._interrupts > 1:
                raise KeyboardInterrupt
