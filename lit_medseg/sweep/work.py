"""One trial in the hands of this worker: its runs one after the other, each a child process, until it is settled."""

import json
import logging
import math
import statistics
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from lit_medseg.cluster.blame import Blame
from lit_medseg.cluster.child import Child, poll_child, start_child
from lit_medseg.cluster.device_pool import Slot
from lit_medseg.cluster.stop_request import ask_to_stop
from lit_medseg.errors import TrackingError
from lit_medseg.sweep.ask import Asked
from lit_medseg.sweep.claim import MOST_LOST, deaths, lost_workers, take
from lit_medseg.sweep.early_end import early_end
from lit_medseg.sweep.frame import Frame
from lit_medseg.sweep.full_disk import is_full
from lit_medseg.sweep.history import History
from lit_medseg.sweep.last_progress import last_progress
from lit_medseg.sweep.make_outcome import make_outcome, run_value
from lit_medseg.sweep.parts import Part
from lit_medseg.sweep.tell import Outcome, State, falls_behind, report
from lit_medseg.sweep.unsettled import Taken, Unsettled
from lit_medseg.sweep.verdict import End, Verdict, judge_child, judge_folder
from lit_medseg.tracking.run_folder import RunFolder

_LOG = logging.getLogger(__name__)
RETRIES = 3
"""How often a trial is tried again whose process was killed."""
_AROUND_S = 30.0
"""Longest pause before another try where something around the trial was out of order."""


class Work:
    """A trial on its way.

    `step` is called again and again and never waits; it may raise what the study's storage raises, and is called again
    later: nothing is done twice.

    Args:
        frame: What all trials share.
        asked: The trial.
        parts: Its runs.
        slot: Where its children compute.

    Attributes:
        slot: None where it only waits for the loop to find out whether this host is to blame.
        child: The process of the run in work; None between two.
        stopping: Why the trial ends early; empty while it shall go on.
        shown: Whether people and MLflow know its outcome.
        faults: How often its own files or processes were out of order.
    """

    def __init__(self, frame: Frame, asked: Asked, parts: list[Part], slot: Slot) -> None:
        self.frame, self.asked, self.parts = frame, asked, parts
        self.slot: Slot | None = slot
        self.number = asked.trial.number
        self.claim = asked.claim
        self.child: Child | None = None
        self.stopping = ""
        self.shown = False
        self.faults = 0
        self._outcome: Outcome | None = None
        self._done: list[History] = []
        self._again_at = 0.0
        self._tries = 0
        self._reported = 0
        self._seen = False
        self._begin_part()

    def step(self) -> Outcome | None:
        """Go on as far as possible without waiting.

        Returns:
            What came of the trial; None while it is not settled.

        Raises:
            Unsettled: It cannot be settled now.
            Taken: It is another worker's now.
        """
        if not self._seen:
            self._look_back()
        if self._outcome is None and self.child is None and time.monotonic() >= self._again_at:
            self._start()
        elif self.child is not None:
            self._watch(self.child)
        # a stop that was asked for is waited for: the trial is settled when nobody works on its run any more
        return None if self.child is not None else self._outcome

    def _look_back(self) -> None:
        """Look what became of earlier attempts: whoever was killed may not have asked the pruner."""
        lost = lost_workers(self._folder, last_progress(self.frame.place, self.number))
        if lost > MOST_LOST and judge_folder(self.run).end is not End.FINISHED:
            self._outcome, self._seen = self._made("FAILED", f"its worker died each time, {lost} times"), True
            return
        reported = max(self.frame.study.get_trials(deepcopy=False)[self.number].intermediate_values, default=0)
        # of several runs the finished ones are read first, see `_report_part`
        single = len(self.parts) == 1
        if reported and single and self._prunes(reported) and falls_behind(self.frame.study, self.number):
            self._history.update()
            self._end_early("PRUNED", f"pruned at epoch {reported}")
        self._reported, self._seen = reported, True

    @property
    def has_trained(self) -> bool:
        """Whether its run in work has come to an epoch in this worker's hands."""
        return self._history.epochs > self._epochs_before

    def let_go(self) -> None:
        """Let others go on with it; where its failure may be this host's, they try again."""
        if self.slot is None:
            self.claim.excuse()
            with suppress(TrackingError, OSError):  # there is no run yet, or no room
                state = self.run.read()
                if state.status == "FAILED":
                    self.run.end("FAILED", state.reason, Blame.AROUND)
        self.claim.give_back()

    @property
    def is_computing(self) -> bool:
        """Whether a process works on it."""
        return self.child is not None and poll_child(self.child) is None

    @property
    def run(self) -> RunFolder:
        """The folder of the run in work."""
        return self.frame.place.run(self.number, self._part.suffix)

    @property
    def tags(self) -> dict[str, str]:
        """First tags of its runs."""
        return {"sweep": self.frame.plan.name, "trial": str(self.number), "trial_state": "RUNNING"}

    @property
    def _part(self) -> Part:
        return self.parts[len(self._done)]

    @property
    def _folder(self) -> Path:
        return self.frame.place.trial(self.number)

    @property
    def _log(self) -> Path:
        return self._folder / f"output{self._part.suffix}.txt"

    def _begin_part(self) -> None:
        self._history = History(self.run.path)
        self._epochs_before = 0

    def _start(self) -> None:
        """Start the run in work, or see that there is nothing to start."""
        verdict = judge_folder(self.run)
        self._history.update()
        self._epochs_before = self._history.epochs
        if verdict.end is End.ALIVE:
            self._again_at = time.monotonic() + 1.0
        elif verdict.end in (End.FINISHED, End.FAILED):
            self._take_verdict(verdict)
        else:
            self.child = self._started()

    def _started(self) -> Child:
        settings = self._folder / f"experiment{self._part.suffix}.yaml"
        self._part.write(settings)
        arguments = ["fit", "--config", str(settings), "--experiment", self.frame.plan.name, "--run", self.run.name]
        arguments += [*self.frame.arguments, "--tags", json.dumps(self.tags)]
        return start_child(arguments, self.slot or (), self._log, self.frame.threads)

    def _watch(self, child: Child) -> None:
        """Look at what the child has recorded, and whether it has ended."""
        status = poll_child(child)
        self._history.update()
        if not self.stopping:
            self._follow()
        if status is None:
            return
        self.child = None
        verdict = judge_child(status, self.run, self._log)
        if verdict.end is not End.FINISHED and is_full(self._folder):
            verdict = Verdict(End.DISK_FULL, "nothing can be written to its folder")
        self._take_verdict(verdict)

    def _follow(self) -> None:
        """Report each epoch in its order, ask the pruner, and look at the limits.

        The order alone decides, not the moment at which somebody looks: an interrupted search decides the same.
        """
        ends = early_end(self.frame.plan, self._history)
        for epoch, value in self._news():
            if ends is not None and ends[0] <= epoch:
                break
            report(self.frame.study, self.number, epoch, value)
            if self._prunes(epoch) and falls_behind(self.frame.study, self.number):
                self._end_early("PRUNED", f"pruned at epoch {epoch}")
                return
            self._reported = epoch
        if ends is not None:
            self._end_early(*ends[1:])

    def _news(self) -> Iterator[tuple[int, float]]:
        objectives = self.frame.plan.objectives
        if len(objectives) > 1 or len(self.parts) > 1:
            return
        values = self._history.by_epoch(objectives[0].metric)
        for epoch in sorted(values):
            if epoch > self._reported and math.isfinite(values[epoch]):
                yield epoch, values[epoch]

    def _prunes(self, step: int) -> bool:
        """Whether the pruner may end the trial here: not where it has ended anyway."""
        last = self._part.last_validation if len(self.parts) == 1 else len(self.parts)
        return len(self.frame.plan.objectives) == 1 and (last is None or step < last)

    def _end_early(self, state: State, reason: str) -> None:
        """Decide that the trial ends; its child stops at its next step with a checkpoint."""
        self.stopping = reason
        self._outcome = self._made(state, reason)
        if self.run.path.is_dir() and (self.child is not None or judge_folder(self.run).end is End.ALIVE):
            ask_to_stop(self.run.path, reason)

    def _take_verdict(self, verdict: Verdict) -> None:
        """Go on from what became of the run in work."""
        end = verdict.end
        if end is End.FINISHED:
            self._finish_part()
        elif self.stopping:
            return
        elif end is End.FAILED:
            self._outcome = self._made("FAILED", verdict.reason)
        elif end is End.DISK_FULL:
            raise Unsettled(f"the disk is full, trial {self.number} cannot go on: {verdict.reason}.")
        elif end is End.AROUND:
            self._try_later(verdict.reason)
        else:
            self._retry(verdict.reason or "stopped from outside")

    def _finish_part(self) -> None:
        """Take the values of a run that is done."""
        self._history.finish()
        if not self.stopping:
            self._follow()
        if self.stopping:
            return
        missing = [one.metric for one in self.frame.plan.objectives if math.isnan(run_value(one, self._history))]
        if missing:
            self._outcome = self._made("FAILED", f"diverged or not recorded: {missing[0]} is no number")
            return
        histories = [*self._done, self._history]
        if len(self.parts) > 1:
            self._report_part(histories)
        self._done = histories
        if self._outcome is None and len(histories) == len(self.parts):
            self._outcome = self._made("COMPLETE")
        elif self._outcome is None:
            self._begin_part()

    def _report_part(self, histories: list[History]) -> None:
        """Report a repeat or fold: each value to a pruner that compares pairs, else their mean so far.

        About the last one that an earlier attempt had reported the pruner is asked again: its worker may not have.
        """
        if len(self.frame.plan.objectives) > 1 or len(histories) < self._reported:
            return
        values = [run_value(self.frame.plan.objectives[0], history) for history in histories]
        single = self.frame.plan.compares_pairs
        step = len(histories)
        report(self.frame.study, self.number, step, values[-1] if single else statistics.fmean(values))
        if self._prunes(step) and falls_behind(self.frame.study, self.number):
            self._end_early("PRUNED", f"pruned at run {step}")

    def _made(self, state: State, reason: str = "") -> Outcome:
        histories = self._done if self._history in self._done else [*self._done, self._history]
        return make_outcome(self.frame.plan, histories, state, reason)

    def _retry(self, cause: str) -> None:
        """Begin another attempt at a trial whose process was killed; it goes on from its checkpoint."""
        self.claim.note_death(cause)
        died = deaths(self._folder)
        if len(died) > RETRIES:
            self._outcome = self._made("FAILED", f"killed {len(died)} times, the last time: {cause}")
            return
        text = "trial %d: %s; it goes on from its checkpoint (retry %d of %d)."
        _LOG.warning(text, self.number, cause, len(died), RETRIES)
        claim = take(self._folder)
        if claim is None:
            raise Taken
        self.claim = claim

    def _try_later(self, reason: str) -> None:
        self._tries += 1
        if self._tries > 20:
            raise Unsettled(f"trial {self.number} cannot go on: {reason}")
        # short at first: most often a child of a worker that was killed still writes its checkpoint
        pause_s = min(2.0**self._tries, _AROUND_S)
        _LOG.warning("trial %d: %s It is tried again in %.0f s.", self.number, reason, pause_s)
        self._again_at = time.monotonic() + pause_s
