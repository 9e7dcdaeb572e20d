"""What became of a child: done, stopped, killed, or unable."""

from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from lit_medseg.cluster.blame import EXIT_STATUS, Blame
from lit_medseg.cluster.child_log import last_lines
from lit_medseg.cluster.stop_request import STATUS, Cause
from lit_medseg.errors import TrackingError
from lit_medseg.tracking.run_folder import RunFolder, RunState

STOPPED = STATUS[Cause.STOP_FILE]
"""Exit status of a `fit` that ended because it was told to, by `stop.json` or by its parent's end."""
_LINES = 200


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


_ENDS = {
    Blame.SETTINGS: End.FAILED,
    Blame.MEMORY: End.FAILED,
    Blame.LOST: End.KILLED,
    Blame.DISK: End.DISK_FULL,
    Blame.AROUND: End.AROUND,
}
_BLAMES = {status: blame for blame, status in EXIT_STATUS.items()}


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
        return Verdict(End.ALIVE, "its process still works") if folder.is_busy(state) else Verdict(End.STOPPED)
    if state.status == "FINISHED":
        return Verdict(End.FINISHED)
    return _failure(state.blame, state.reason) if state.status == "FAILED" else Verdict(End.STOPPED, state.reason)


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
    words = _last_words(log, status)
    if status in _BLAMES:
        return _failure(_BLAMES[status], words)
    if state is not None and state.status == "FAILED":
        return _failure(state.blame, state.reason or words)
    # a run that says RUNNING could not even note its end
    return _failure(Blame.LOST if state is not None and state.status == "RUNNING" else Blame.SETTINGS, words)


def _failure(blame: Blame, reason: str) -> Verdict:
    line = " ".join(reason.split())[:1000]
    return Verdict(_ENDS[blame], f"out of memory: {line}" if blame is Blame.MEMORY else line)


def _state(folder: RunFolder) -> RunState | None:
    try:
        return folder.read()
    except TrackingError:
        return None


def _last_words(log: Path, status: int) -> str:
    """Find the fault in what a child has printed: our own line, else the last one (a traceback's)."""
    said = last_lines(log, _LINES)
    ours = [line.removeprefix("error: ") for line in said if line.startswith("error: ")]
    return ours[-1] if ours else said[-1] if said else f"ended with status {status}"
