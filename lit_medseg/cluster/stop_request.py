"""One flag for everything that asks a run to end early."""

import json
import os
import time
from enum import IntEnum
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # Lightning, which the parents that ask to stop do without
    from lit_medseg.cluster.interruption import Interruption

STOP_FILE = "stop.json"
"""In a run's folder: `{"reason": "..."}`, written by whoever wants the run to stop (a sweep that prunes a trial)."""
_LOOK_EVERY_S = 1.0


class Cause(IntEnum):
    """Why a run stops, in rising order of haste; 0 for no reason."""

    NONE = 0
    PARENT_GONE = 1
    STOP_FILE = 2
    SIGUSR1 = 3
    SIGTERM = 4
    SIGINT = 5


STATUS = {Cause.PARENT_GONE: 75, Cause.STOP_FILE: 75, Cause.SIGUSR1: 138, Cause.SIGTERM: 143, Cause.SIGINT: 130}
"""Exit status: 128 and the signal's number, or 75 (EX_TEMPFAIL of sysexits.h: the same command goes on)."""
REASONS = {
    Cause.PARENT_GONE: "the process that started it is gone",
    Cause.STOP_FILE: "asked to stop",
    Cause.SIGUSR1: "preempted (SIGUSR1: the time limit is near)",
    Cause.SIGTERM: "preempted (SIGTERM)",
    Cause.SIGINT: "interrupted (Ctrl-C)",
}


class Stopped(Exception):  # noqa: N818 - no error: the run ends where it was asked to
    """The run ends at a step's boundary, its checkpoint written; raised on every rank at the same point.

    Attributes:
        cause: Why.
    """

    def __init__(self, cause: Cause) -> None:
        super().__init__(REASONS[cause])
        self.cause = cause


class StopRequest:
    """Asks signals, the stop file and the parent; cheap enough for every step.

    Args:
        interruption: The signals of this process.
        parent: Process that this one ends with; None where it lives by itself.
    """

    def __init__(self, interruption: "Interruption", parent: int | None = None) -> None:
        self.interruption = interruption
        self._parent = parent
        self._looked = -_LOOK_EVERY_S
        self._found = Cause.NONE

    def cause(self, folder: Path) -> Cause:
        """Tell whether the run shall stop.

        Args:
            folder: The run's, that the stop file would lie in.
        """
        signalled = self.interruption.signal_number
        if signalled is not None:
            return Cause[signalled.name]
        now = time.monotonic()
        if now - self._looked >= _LOOK_EVERY_S:
            self._looked = now
            if self._parent is not None and os.getppid() != self._parent:
                self._found = Cause.PARENT_GONE
            elif (folder / STOP_FILE).exists():
                self._found = Cause.STOP_FILE
        return self._found


def ask_to_stop(folder: Path, reason: str) -> None:
    """Ask the process that works on a run to stop at its next step's boundary.

    Args:
        folder: The run folder.
        reason: Becomes the run's `end_reason`.
    """
    part = folder / f".{STOP_FILE}.{os.getpid()}"
    part.write_text(json.dumps({"reason": reason}), encoding="utf-8")
    part.replace(folder / STOP_FILE)


def reason_of(cause: Cause, folder: Path) -> str:
    """Put the cause into words: those of the stop file where it is the cause."""
    if cause is Cause.STOP_FILE:
        try:
            return str(json.loads((folder / STOP_FILE).read_text(encoding="utf-8"))["reason"])
        except (OSError, ValueError, TypeError, KeyError):
            return REASONS[cause]
    return REASONS[cause]


def forget_stop(folder: Path) -> None:
    """Take the stop file away: the run goes on."""
    (folder / STOP_FILE).unlink(missing_ok=True)
