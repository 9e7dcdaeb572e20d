"""Runs the commands of all folds, several at once."""

import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from lit_medseg.cluster.blame import EXIT_STATUS, Blame
from lit_medseg.cluster.child import Child, poll_child, start_child, stop_children
from lit_medseg.cluster.child_log import end_in_words
from lit_medseg.cluster.device_pool import DevicePool, Slot
from lit_medseg.crossval.fold_work import FoldWork
from lit_medseg.errors import MedSegError

_POLL_S = 0.2
PATIENCE_S = 300.0
"""How long children may take for their checkpoints once they are told to stop; a scheduler may be less patient."""
_FAULTS = (2, EXIT_STATUS[Blame.AROUND], EXIT_STATUS[Blame.DISK])
"""Exit statuses for what the other folds would run into as well: a fault of the user's input, a full disk."""


@dataclass(frozen=True)
class _Running:
    work: FoldWork
    slot: Slot
    verb: str
    child: Child


@dataclass
class Outcome:
    """How the folds ended.

    Attributes:
        failed: What went wrong, by the fold's title; without those that were told to stop.
        fault: The text of a fault of the user's input; empty where there was none.
        stopped: Whether the children were told to stop.
    """

    failed: dict[str, str] = field(default_factory=dict)
    fault: str = ""
    stopped: bool = False


def run_works(
    works: Sequence[FoldWork], pool: DevicePool, stop: Callable[[], bool], tell: Callable[[str], None]
) -> Outcome:
    """Run what is left to do for each fold.

    A fold that fails does not stop the others; a fault of the user's input stops new ones from being started.

    Args:
        works: The folds; those that are done are passed over.
        pool: Where children may compute.
        stop: Asked all the time; once true, the children are told to stop.
        tell: Takes one line of progress.
    """
    outcome, waiting, running = Outcome(), deque(works), list[_Running]()
    reported: set[str] = set()
    try:
        while (waiting and not outcome.fault) or running:
            if stop():
                if running:
                    tell("stopping: the folds write their checkpoints; Ctrl-C again ends them at once")
                outcome.stopped = True
                break
            if not outcome.fault:
                _start(waiting, running, pool, reported, outcome, tell)
            for one in [one for one in running if poll_child(one.child) is not None]:
                running.remove(one)
                pool.give(one.slot)
                _note_end(one, waiting, outcome, tell)
            time.sleep(_POLL_S)
    finally:  # nothing that was started outlives this call
        stop_children([one.child for one in running], PATIENCE_S)
    return outcome


def _start(
    waiting: deque[FoldWork],
    running: list[_Running],
    pool: DevicePool,
    reported: set[str],
    outcome: Outcome,
    tell: Callable[[str], None],
) -> None:
    """Start as many commands as there are slots."""
    for _ in range(len(waiting)):
        work = waiting.popleft()
        if work.is_busy():
            if work.title not in reported:
                tell(f"{work.title}: another process works on it, waiting for its end")
                reported.add(work.title)
            waiting.append(work)
            continue
        slot = pool.take()
        if slot is None:
            waiting.appendleft(work)
            return
        try:
            command = work.next_command(slot)
        except MedSegError as error:
            command = None
            _note_failure(work, str(error), outcome, tell)
        if command is None:
            pool.give(slot)
            continue
        child = start_child(command, slot, work.log, pool.threads)
        running.append(_Running(work, slot, command[0], child))
        on = f" on GPU {', '.join(map(str, slot))}" if slot else ""
        tell(f"{work.title}: {command[0]} started{on}")


def _note_end(one: _Running, waiting: deque[FoldWork], outcome: Outcome, tell: Callable[[str], None]) -> None:
    """Look at what a command has left; the fold goes on, is done or has failed."""
    status, work = int(one.child.returncode), one.work
    text = found = ""
    if status != 0:
        text = f"{one.verb} {end_in_words(status, work.log)}"
    else:
        try:
            found = work.accept(one.verb)
        except MedSegError as error:
            text = str(error)
    if not text:
        tell(f"{work.title}: {one.verb} done" + (f", {found}" if found else ""))
        waiting.appendleft(work)
        return
    _note_failure(work, text, outcome, tell)
    if status in _FAULTS:
        outcome.fault = outcome.fault or f"{work.title}: {text}"


def _note_failure(work: FoldWork, text: str, outcome: Outcome, tell: Callable[[str], None]) -> None:
    tell(f"{work.title}: failed, {text}")
    outcome.failed[work.title] = text
