"""A worker of a sweep: takes trials as long as there are any, and looks after those that it has."""

import logging
import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from lit_medseg.cluster.child import stop_children
from lit_medseg.cluster.device_pool import DevicePool, Slot
from lit_medseg.cluster.parent_signals import ParentSignals
from lit_medseg.errors import MedSegError
from lit_medseg.sweep.ask import Asked, next_trial
from lit_medseg.sweep.claim import claims
from lit_medseg.sweep.frame import Frame
from lit_medseg.sweep.parts import make_parts
from lit_medseg.sweep.tell import Outcome, tell
from lit_medseg.sweep.verdict import End, judge_folder
from lit_medseg.sweep.work import Unsettled, Work
from lit_medseg.sweep.worker_files import WorkerFile, worked_s
from lit_medseg.tracking.lease import HEARTBEAT_S

_LOG = logging.getLogger(__name__)
_POLL_S = 0.1
_LOST_S = 10.0
"""Pause before the study's storage is asked again that did not answer."""
_GIVE_UP_S = 3600.0
"""A worker without children ends when the storage was silent for so long."""
PATIENCE_S = 300.0
"""How long children may take for their checkpoints once they are told to stop."""


@dataclass
class Ended:
    """Why a worker's loop ended.

    Attributes:
        stopped: A signal asked for it.
        fault: What has to be mended before the sweep can go on; empty for nothing.
        others: Trials that other workers still have in work.
    """

    stopped: bool = False
    fault: str = ""
    others: int = 0


@dataclass
class Loop:
    """The loop of one worker.

    Attributes:
        frame: What all trials share.
        bases: The experiments, as plain data.
        pool: Where children may compute.
        devices: GPUs of a trial; 0 for what the experiment says.
        signals: Asked to stop.
        settled: Called with each trial that is settled, and its runs' names.
        beat: Called every `HEARTBEAT_S`.
    """

    frame: Frame
    bases: list[dict[str, Any]]
    pool: DevicePool
    devices: int
    signals: ParentSignals
    settled: Callable[[Work, Outcome], None]
    beat: Callable[[], None]
    _works: list[Work] = field(default_factory=list)
    _fault: str = ""
    _silent_since: float = math.nan
    _ask_at: float = 0.0
    _idle: bool = False
    _beat_at: float = 0.0

    def run(self) -> Ended:
        """Work until there is nothing left, or somebody asks to stop.

        Returns:
            Why it ended.
        """
        worker = WorkerFile(self.frame.place.workers)
        try:
            while not self._signalled():
                self._signs_of_life(worker)
                self._step_all()
                if not self._fault:
                    self._take_trials()
                if not self._works and (self._fault or self._is_over()):
                    break
                time.sleep(_POLL_S)
        finally:
            self._leave()
        return Ended(self._signalled(), self._fault, self._others())

    def _signalled(self) -> bool:
        return self.signals.first is not None

    def _signs_of_life(self, worker: WorkerFile) -> None:
        if time.monotonic() < self._beat_at:
            return
        self._beat_at = time.monotonic() + HEARTBEAT_S / 2
        worker.renew()
        for work in self._works:
            work.claim.renew()
        self.beat()

    def _step_all(self) -> None:
        """Look after every trial; one whose storage does not answer goes on training."""
        for work in list(self._works):
            try:
                outcome = work.step()
                if outcome is not None:
                    tell(self.frame.plan, self.frame.study, work.number, outcome)
            except Unsettled as error:
                self._fault = self._fault or str(error)
                work.claim.give_back()
                self._drop(work)
                continue
            except Exception as error:
                self._note_silence(error)
                continue
            if outcome is not None:
                self._drop(work)
                self.settled(work, outcome)

    def _drop(self, work: Work) -> None:
        self._works.remove(work)
        self.pool.give(work.slot)

    def _take_trials(self) -> None:
        """Begin trials as long as there are slots."""
        while time.monotonic() >= self._ask_at and (slot := self.pool.take()) is not None:
            work = None
            try:
                asked = self._asked()
                self._idle = asked is None
                work = None if asked is None else self._begun(asked, slot)
                self._silent_since = math.nan
            except Exception as error:
                self._note_silence(error)
                self._ask_at = time.monotonic() + _LOST_S
            if work is None:
                self.pool.give(slot)
                self._ask_at = max(self._ask_at, time.monotonic() + 1.0)
                return
            self._works.append(work)

    def _asked(self) -> Asked | None:
        plan, place = self.frame.plan, self.frame.place
        hours = plan.budget.hours
        new = hours is None or worked_s(place.workers) < hours * 3600
        return next_trial(plan, self.frame.study, place, new, self._lives)

    def _begun(self, asked: Asked, slot: Slot) -> Work | None:
        plan = self.frame.plan
        try:
            parts = make_parts(plan, self.bases, asked.settings, self.devices)
        except MedSegError as error:  # a key that no choice of this trial has
            asked.claim.give_back()
            tell(plan, self.frame.study, asked.trial.number, Outcome("FAILED", reason=str(error)))
            return None
        return Work(self.frame, asked, parts, slot)

    def _lives(self, number: int) -> bool:
        """Tell whether a child of another worker, which may be gone, is still at a trial."""
        folder = self.frame.place.run(number)
        runs = [folder, *(type(folder)(path) for path in folder.path.parent.glob(f"{folder.name}-*"))]
        return any(judge_folder(run).end is End.ALIVE for run in runs)

    def _note_silence(self, error: Exception) -> None:
        """Keep calm where the storage does not answer: nothing is lost, and it is asked again."""
        if not _is_storage(error):
            raise error
        if math.isnan(self._silent_since):
            self._silent_since = time.monotonic()
            _LOG.warning("the study's storage does not answer, training goes on: %s", _line(error))
        elif not self._works and time.monotonic() - self._silent_since > _GIVE_UP_S:
            self._fault = f"the study's storage does not answer: {_line(error)}"
        time.sleep(1.0)

    def _is_over(self) -> bool:
        """Whether there is nothing to do now: all trials that may be begun are settled, or in others' hands."""
        if not self._idle or not math.isnan(self._silent_since):
            return False
        try:
            return not self._may_be_left()
        except Exception as error:
            self._note_silence(error)
            return False

    def _may_be_left(self) -> bool:
        """Whether a trial in other hands might be left behind: its child lives on without a worker."""
        from optuna.trial import TrialState  # noqa: PLC0415 (`--help` is instant)

        running = self.frame.study.get_trials(deepcopy=False, states=(TrialState.RUNNING,))
        return any(not any(claim.held for claim in claims(self.frame.place.trial(one.number))[-1:]) for one in running)

    def _others(self) -> int:
        from optuna.trial import TrialState  # noqa: PLC0415 (`--help` is instant)

        try:
            return len(self.frame.study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)))
        except Exception as error:
            if not _is_storage(error):
                raise
            return 0

    def _leave(self) -> None:
        """Stop what runs, and let others go on with it at once."""
        children = [work.child for work in self._works if work.child is not None]
        if children:
            _LOG.warning("stopping: %d trials write their checkpoints; Ctrl-C again ends them at once.", len(children))
        stop_children(children, PATIENCE_S)
        for work in self._works:
            work.claim.give_back()


def _is_storage(error: Exception) -> bool:
    """Tell whether an error is the storage's: a lost connection, a full disk."""
    from optuna.exceptions import StorageInternalError  # noqa: PLC0415 (`--help` is instant)
    from sqlalchemy.exc import SQLAlchemyError  # noqa: PLC0415 (`--help` is instant)

    return isinstance(error, StorageInternalError | SQLAlchemyError | OSError)


def _line(error: Exception) -> str:
    return " ".join(str(error).split())[:200] or type(error).__name__


def summarize(outcome: Outcome, metrics: list[str]) -> str:
    """Write what came of a trial in a few words."""
    if outcome.state != "COMPLETE":
        return f"{outcome.state.lower()}, {outcome.reason[:160]}"
    values: Mapping[str, float] = dict(zip(metrics, outcome.values, strict=True))
    return ", ".join(f"{metric} {value:.4f}" for metric, value in values.items())
