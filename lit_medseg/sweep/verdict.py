"""What became of a child: done, stopped, killed, or unable."""

import re
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from lit_medseg.errors import TrackingError
from lit_medseg.tracking.lease import is_alive
from lit_medseg.tracking.run_folder import RunFolder, RunState

STOPPED = 75
"""Exit status of a `fit` that ended because it was told to, by `stop.json` or by its parent's end."""
_LOG_BYTES = 20_000
_SIGNAL = re.compile(r"ended by signal|killed by signal|SIGKILL|SIGBUS")
_MEMORY = re.compile(r"out of memory|OutOfMemory|cannot allocate memory|MemoryError", re.IGNORECASE)
_DISK = re.compile(r"No space left|room on the disk|Disk quota|disk is full", re.IGNORECASE)
_AROUND = re.compile(r"tracking store|the run is in work|records are in use|no answer|run cannot be made")
"""What a run could not help: the same settings may succeed later."""


class End(Enum):
    """How a child's run stands."""

    FINISHED = "finished"
    STOPPED = "stopped"
    """It has a checkpoint and can go on: told to stop, preempted, or its parent was gone."""
    KILLED = "killed"
    """A signal ended it, or one of its ranks."""
    FAILED = "failed"
    """Its settings cannot be trained; the same again would fail again."""
    DISK_FULL = "disk full"
    AROUND = "around"
    """Something else was out of order: the tracking server, another process at the run."""
    ALIVE = "alive"
    """A child of a parent that is gone still works on it."""
    NEW = "new"
    """It was never begun."""


@dataclass(frozen=True)
class Verdict:
    """How a child's run stands.

    Attributes:
        end: In one word.
        reason: In one line; empty for a plain end.
    """

    end: End
    reason: str = ""


def judge_folder(folder: RunFolder) -> Verdict:
    """Tell how a run stands that no child of ours works on, by its folder.

    Args:
        folder: The run folder; it need not exist.
    """
    state = _state(folder)
    if state is None:
        return Verdict(End.NEW)
    if state.status == "RUNNING":
        alive = is_alive(state.owner, folder.lease)
        return Verdict(End.ALIVE, "its process still works") if alive else Verdict(End.STOPPED)
    if state.status == "FINISHED":
        return Verdict(End.FINISHED)
    return _failure(state.reason) if state.status == "FAILED" else Verdict(End.STOPPED, state.reason)


def judge_child(status: int, folder: RunFolder, log: Path) -> Verdict:
    """Tell what became of a child that has just ended.

    Args:
        status: Exit status; negative the signal that ended it.
        folder: Its run folder; there is none where it was refused before it began.
        log: What it has printed.
    """
    state = _state(folder)
    if status == 0 and state is not None and state.status == "FINISHED":
        return Verdict(End.FINISHED)
    if status == STOPPED:
        return Verdict(End.STOPPED, "" if state is None else state.reason)
    if status < 0 or status > 128:
        number = -status if status < 0 else status - 128
        return Verdict(End.KILLED, f"ended by signal {number}")
    reason = state.reason if state is not None and state.status == "FAILED" and state.reason else _last_words(log)
    return _failure(reason or f"ended with status {status}")


def _failure(reason: str) -> Verdict:
    line = " ".join(reason.split())[:1000]
    kinds = ((_SIGNAL, End.KILLED), (_DISK, End.DISK_FULL), (_AROUND, End.AROUND))
    for pattern, end in kinds:
        if pattern.search(line):
            return Verdict(end, line)
    return Verdict(End.FAILED, f"out of memory: {line}" if _MEMORY.search(line) else line)


def _state(folder: RunFolder) -> RunState | None:
    try:
        return folder.read()
    except TrackingError:
        return None


def _last_words(log: Path) -> str:
    """Find the fault in what a child has printed: our own line, else the last one (a traceback's)."""
    try:
        with log.open("rb") as file:
            file.seek(max(0, log.stat().st_size - _LOG_BYTES))
            lines = file.read().decode("utf-8", "replace").splitlines()
    except OSError:
        return ""
    said = [line for line in lines if line.strip()]
    ours = [line.removeprefix("error: ") for line in said if line.startswith("error: ")]
    return ours[-1] if ours else "".join(said[-1:])
