"""A worker of a sweep: takes trials as long as there are any, and looks after those that it has."""

import logging
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from lit_medseg.cluster.blame import Blame, blame_of
from lit_medseg.cluster.child import stop_children
from lit_medseg.cluster.device_pool import DevicePool, Slot
from lit_medseg.cluster.parent_signals import ParentSignals
from lit_medseg.errors import MedSegError
from lit_medseg.sweep.ask import Asked, NotNow, next_trial
from lit_medseg.sweep.claim import was_excused
from lit_medseg.sweep.ended import Ended
from lit_medseg.sweep.frame import Frame
from lit_medseg.sweep.parts import make_parts
from lit_medseg.sweep.proven_host import is_proven, prove
from lit_medseg.sweep.silence import Silence
from lit_medseg.sweep.study import answers, is_storage_fault, one_line
from lit_medseg.sweep.tell import Outcome, tell
from lit_medseg.sweep.unsettled import Taken, Unsettled
from lit_medseg.sweep.verdict import End, judge_folder
from lit_medseg.sweep.work import Work
from lit_medseg.sweep.worker_files import WorkerFile, worked_s
from lit_medseg.tracking.lease import HEARTBEAT_S

_LOG = logging.getLogger(__name__)
_POLL_S = 0.1
_LOST_S = 10.0
"""Pause before the study's storage is asked again that did not answer."""
_GIVE_UP_S = 3600.0
"""A worker without children ends when the storage was silent for so long."""
_FAULTS = 20
"""How often, about once a second, a trial is tried again whose own files or processes are out of order."""
_DOUBTS = 2
"""So many failures before a first epoch, and nothing that trains, make a host suspect."""
_OWN_FAULTS = ("out of memory", "killed ", "its worker died")
"""Reasons that are a trial's own on any host."""
PATIENCE_S = 300.0
"""How long children may take for their checkpoints once they are told to stop."""


@dataclass
class Loop:
    """The loop of one worker.

    Attributes:
        frame: What all trials share.
        bases: The experiments, as plain data.
        pool: Where children may compute.
        devices: GPUs of a trial; 0 for what the experiment says.
        signals: Asked to stop.
        settled: Called with each trial that is about to be settled.
        beat: Called every `HEARTBEAT_S`.
        begun: Called with each trial that this worker begins, or takes up.
    """

    frame: Frame
    bases: list[dict[str, Any]]
    pool: DevicePool
    devices: int
    signals: ParentSignals
    settled: Callable[[Work, Outcome], None]
    beat: Callable[[], None]
    begun: Callable[[Work], None]
    _works: list[Work] = field(default_factory=list)
    _fault: str = ""
    _silence: Silence = field(default_factory=Silence)
    _ask_at: float = 0.0
    _idle: bool = False
    _waits_for: str = ""
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
                self._doubt_this_host()
                if not (self._fault or self._signalled() or len(self._doubtful) >= _DOUBTS):
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
        for work in list(self._works):
            if work.claim.is_taken:
                self._lose(work)
            else:
                work.claim.renew()
        with suppress(OSError):  # the study has everything that the beat writes
            self.beat()

    def _step_all(self) -> None:
        """Look after every trial; one whose storage does not answer goes on training."""
        for work in list(self._works):
            if self._signalled():
                # a scheduler may have told the children too: their end is no death of a trial
                return
            try:
                outcome = work.step()
                work.faults = 0 if outcome is None else work.faults
                if work.has_trained:
                    prove(self.frame.place)
                if outcome is not None:
                    self._settle(work, outcome)
            except Unsettled as error:
                self._fault = self._fault or str(error)
                self._leave_open(work)
            except Taken:
                self._lose(work)
            except Exception as error:
                self._bear(work, error)

    def _settle(self, work: Work, outcome: Outcome) -> None:
        """Tell people, MLflow and at last the study: who follows a worker that is killed meanwhile does so again."""
        if self._is_doubtful(work, outcome):
            self._give_slot(work)
            return
        if not work.shown:
            self.settled(work, outcome)
            work.shown = True
        tell(self.frame.plan, self.frame.study, work.number, outcome)
        self._silence.end()
        self._drop(work)

    def _is_doubtful(self, work: Work, outcome: Outcome) -> bool:
        """Whether a failure may be this host's, on which nothing has trained yet: the next trial tells."""
        if outcome.state != "FAILED" or work.has_trained or is_proven(self.frame.place):
            return False
        if outcome.reason.startswith(_OWN_FAULTS):
            return False
        if was_excused(self.frame.place.trial(work.number)):
            return False
        return not self._idle or any(one.is_computing for one in self._works)

    @property
    def _doubtful(self) -> list[Work]:
        return [work for work in self._works if work.slot is None]

    def _doubt_this_host(self) -> None:
        """Give up where nothing has ever trained, and leave the trials to workers on other hosts."""
        doubtful = self._doubtful
        # what still computes may come to an epoch, which clears the host
        if len(doubtful) >= _DOUBTS and not any(work.is_computing for work in self._works):
            text = "none of the sweep's trials has come to its first epoch on this host, and two have failed"
            self._fault = self._fault or f"{text}: see output.txt of trial {doubtful[-1].number}."
        for work in doubtful if self._fault else ():
            self._leave_open(work)

    def _bear(self, work: Work, error: Exception) -> None:
        """Let a trial go on though something does not answer; one whose own files are out of order not for ever."""
        # a trial's own files and processes are out of order where the study answers
        if isinstance(error, OSError) and blame_of(error) is not Blame.DISK and answers(self.frame.study):
            work.faults += 1
            if work.faults > _FAULTS:
                self._fault = self._fault or f"trial {work.number} cannot go on: {one_line(error)}."
            time.sleep(1.0)
        else:
            self._note_silence(error)
        # nobody waits for a trial whose child has ended: its values are in its run's folder
        if self._fault and not work.is_computing:
            self._leave_open(work)

    def _lose(self, work: Work) -> None:
        """Drop a trial that another worker has taken while this one stood still; two children would write one run."""
        _LOG.warning("trial %d: another worker has taken it while this one stood still.", work.number)
        stop_children([work.child] if work.child is not None else [], 0.0)
        self._drop(work)

    def _leave_open(self, work: Work) -> None:
        """Let go of a trial that is not settled."""
        work.let_go()
        self._drop(work)

    def _drop(self, work: Work) -> None:
        self._works.remove(work)
        self._give_slot(work)

    def _give_slot(self, work: Work) -> None:
        if work.slot is not None:
            self.pool.give(work.slot)
            work.slot = None

    def _take_trials(self) -> None:
        """Begin trials as long as there are slots."""
        while time.monotonic() >= self._ask_at and (slot := self.pool.take()) is not None:
            work = None
            try:
                asked = self._asked()
                self._idle = asked is None
                work = None if asked is None else self._begun(asked, slot)
                self._silence.end()
            except NotNow as reason:
                if str(reason) != self._waits_for:
                    self._waits_for = str(reason)
                    _LOG.warning("no trial can be begun yet: %s.", reason)
                self._idle = False
                self._silence.end()
            except Exception as error:
                self._note_silence(error)
                self._ask_at = time.monotonic() + _LOST_S
            if work is None:
                self.pool.give(slot)
                self._ask_at = max(self._ask_at, time.monotonic() + 1.0)
                return
            self._works.append(work)
            self.begun(work)

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
            _LOG.warning("trial %d failed: %s", asked.trial.number, error)
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
        if not is_storage_fault(error):
            raise error
        if blame_of(error) is Blame.DISK:
            self._fault = self._fault or "the disk is full: the study cannot be written."
        elif not (silent_s := self._silence.note()):
            _LOG.warning("the study's storage does not answer, training goes on: %s", one_line(error))
        elif silent_s > _GIVE_UP_S and not any(one.is_computing for one in self._works):
            self._fault = self._fault or f"the study's storage does not answer: {one_line(error)}."
        time.sleep(1.0)

    def _is_over(self) -> bool:
        """Whether there is nothing to do now: all trials that may be begun are settled, or in others' hands."""
        return self._idle and not self._silence.lasts

    def _others(self) -> int:
        from optuna.trial import TrialState  # noqa: PLC0415 (`--help` is instant)

        try:
            return len(self.frame.study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)))
        except Exception as error:
            if not is_storage_fault(error):
                raise
            return 0

    def _leave(self) -> None:
        """Stop what runs, and let others go on with it at once."""
        children = [work.child for work in self._works if work.child is not None]
        if children:
            _LOG.warning("stopping: %d trials write their checkpoints; Ctrl-C again ends them at once.", len(children))
        try:
            stop_children(children, PATIENCE_S)
        finally:  # also when a second Ctrl-C comes meanwhile
            for work in self._works:
                work.let_go()
