"""One trial in the hands of this worker: its runs one after the other, each a child process, until it is settled."""

import json
import logging
import math
import statistics
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from lit_medseg.cluster.child import Child, poll_child, start_child
from lit_medseg.cluster.device_pool import Slot
from lit_medseg.sweep.ask import Asked
from lit_medseg.sweep.claim import deaths, take
from lit_medseg.sweep.frame import Frame
from lit_medseg.sweep.history import History, value_of
from lit_medseg.sweep.parts import Part
from lit_medseg.sweep.plan import Objective
from lit_medseg.sweep.tell import Outcome, State, falls_behind, report
from lit_medseg.sweep.verdict import End, Verdict, judge_child, judge_folder
from lit_medseg.tracking.atomic_write import write_atomically
from lit_medseg.tracking.run_folder import RunFolder

_LOG = logging.getLogger(__name__)
RETRIES = 3
"""How often a trial is tried again whose process was killed."""
_AROUND_S = 30.0
"""Pause before another try where something around the trial was out of order."""
STOP_FILE = "stop.json"
"""In the folder of a run: its processes stop at their next step, see `lit_medseg.cluster.stop_request` (which imports
Lightning)."""
LOSS = "train/loss"
"""A run whose loss is no number any more has diverged."""
_WILCOXON = ".WilcoxonPruner"


class Unsettled(Exception):  # noqa: N818 - no error of the trial: it stays open
    """The trial cannot go on here now, and is not to blame; the sweep ends in order and can be resumed."""


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
        child: The process of the run in work; None between two.
        stopping: Why the trial ends early; empty while it shall go on.
    """

    def __init__(self, frame: Frame, asked: Asked, parts: list[Part], slot: Slot) -> None:
        self.frame, self.asked, self.parts, self.slot = frame, asked, parts, slot
        self.number = asked.trial.number
        self.claim = asked.claim
        self.child: Child | None = None
        self.stopping = ""
        self._outcome: Outcome | None = None
        self._done: list[History] = []
        self._again_at = 0.0
        self._tries = 0
        self._seen = False
        self._begin_part()

    def step(self) -> Outcome | None:
        """Go on as far as possible without waiting.

        Returns:
            What came of the trial; None while it is not settled.

        Raises:
            Unsettled: It cannot be settled now.
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
        """Ask the pruner about what an earlier attempt had reported, which may have been killed before it asked."""
        reported = max(self.frame.study.get_trials(deepcopy=False)[self.number].intermediate_values, default=0)
        if reported and self._prunes(reported) and falls_behind(self.frame.study, self.number):
            self._history.update()
            self._end_early("PRUNED", f"pruned at {self._unit} {reported}")
        self._reported, self._seen = reported, True

    @property
    def run(self) -> RunFolder:
        """The folder of the run in work."""
        return self.frame.place.run(self.number, self._part.suffix)

    @property
    def _part(self) -> Part:
        return self.parts[len(self._done)]

    @property
    def _folder(self) -> Path:
        return self.frame.place.trial(self.number)

    @property
    def _log(self) -> Path:
        return self._folder / f"output{self._part.suffix}.txt"

    @property
    def _unit(self) -> str:
        return "epoch" if len(self.parts) == 1 else "run"

    def _begin_part(self) -> None:
        self._history = History(self.run.path)
        self._reported = 0

    def _start(self) -> None:
        """Start the run in work, or see that there is nothing to start."""
        verdict = judge_folder(self.run)
        if self._outcome is not None or verdict.end is End.ALIVE:
            self._again_at = time.monotonic() + 1.0
        elif verdict.end in (End.FINISHED, End.FAILED):
            self._take_verdict(verdict)
        else:
            self.child = self._started()

    def _started(self) -> Child:
        settings = self._folder / f"experiment{self._part.suffix}.yaml"
        self._part.write(settings)
        arguments = ["fit", "--config", str(settings), "--experiment", self.frame.plan.name, "--run", self.run.name]
        return start_child([*arguments, *self.frame.arguments, *_tags(self)], self.slot, self._log, self.frame.threads)

    def _watch(self, child: Child) -> None:
        """Look at what the child has recorded, and whether it has ended."""
        status = poll_child(child)
        self._history.update()
        if not self.stopping:
            self._follow()
        if status is None:
            return
        self.child = None
        self._take_verdict(judge_child(status, self.run, self._log))

    def _follow(self) -> None:
        """Report each epoch in its order, ask the pruner, and look at the limits.

        The order alone decides, not the moment at which somebody looks: an interrupted search decides the same.
        """
        ends = min(self._ends(), default=None)
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
        values = self._history.values.get(objectives[0].metric, {})
        for epoch in sorted(values):
            if epoch > self._reported and math.isfinite(values[epoch]):
                yield epoch, values[epoch]

    def _prunes(self, step: int) -> bool:
        """Whether the pruner may end the trial here: not where it has ended anyway."""
        last = self._part.epochs if len(self.parts) == 1 else len(self.parts)
        return len(self.frame.plan.objectives) == 1 and (last is None or step < last)

    def _ends(self) -> Iterator[tuple[int, State, str]]:
        """Find the epochs at which the trial must end, whatever the pruner says."""
        epoch = self._history.first(LOSS, lambda value: not math.isfinite(value))
        if epoch is not None:
            yield epoch, "FAILED", f"diverged: {LOSS} is no finite number"
        for limit in self.frame.plan.limits:
            epoch = self._history.first(limit.metric, limit.exceeded)
            if epoch is not None:
                yield epoch, "PRUNED", f"constraint: {limit.metric} is more than {limit.most:.6g}"

    def _end_early(self, state: State, reason: str) -> None:
        """Decide that the trial ends; its child stops at its next step with a checkpoint."""
        self.stopping = reason
        self._outcome = self._made(state, reason=reason)
        if self.run.path.is_dir() and (self.child is not None or judge_folder(self.run).end is End.ALIVE):
            write_atomically(self.run.path / STOP_FILE, json.dumps({"reason": reason}))

    def _take_verdict(self, verdict: Verdict) -> None:
        """Go on from what became of the run in work."""
        end = verdict.end
        if end is End.FINISHED:
            self._finish_part()
        elif self.stopping:
            return
        elif end is End.FAILED:
            self._outcome = self._made("FAILED", reason=verdict.reason)
        elif end is End.DISK_FULL:
            raise Unsettled(f"the disk is full: {verdict.reason}")
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
        missing = [one.metric for one in self.frame.plan.objectives if math.isnan(self._value(one, self._history))]
        if missing:
            self._outcome = self._made("FAILED", reason=f"diverged or not recorded: {missing[0]} is no number")
            return
        histories = [*self._done, self._history]
        if len(self.parts) > 1:
            self._report_part(histories)
        self._done = histories
        if self._outcome is None and len(histories) == len(self.parts):
            self._outcome = self._made("COMPLETE", tuple(self._mean(one) for one in self.frame.plan.objectives))
        elif self._outcome is None:
            self._begin_part()

    def _report_part(self, histories: list[History]) -> None:
        """Report a repeat or fold: each value to a pruner that compares pairs, else their mean so far."""
        if len(self.frame.plan.objectives) > 1 or len(histories) <= self._reported:
            return
        values = [self._value(self.frame.plan.objectives[0], history) for history in histories]
        single = self.frame.plan.pruner.path.endswith(_WILCOXON)
        step = len(histories)
        report(self.frame.study, self.number, step, values[-1] if single else statistics.fmean(values))
        if self._prunes(step) and falls_behind(self.frame.study, self.number):
            self._end_early("PRUNED", f"pruned at run {step}")

    def _mean(self, objective: Objective) -> float:
        return statistics.fmean(self._value(objective, history) for history in self._done)

    @staticmethod
    def _value(objective: Objective, history: History) -> float:
        return value_of(objective, history.values.get(objective.metric, {}))

    def _made(self, state: State, values: tuple[float, ...] = (), reason: str = "") -> Outcome:
        histories = self._done if self._history in self._done else [*self._done, self._history]
        excess = {}
        for limit in self.frame.plan.limits:
            seen = [value for value in (history.most(limit.metric) for history in histories) if value is not None]
            if seen:
                excess[limit.metric] = max(seen) - limit.most
        epochs = sum(history.epochs for history in histories)
        return Outcome(state, values, reason, tuple(map(self._plain, histories)), epochs, excess)

    def _plain(self, history: History) -> dict[str, Any]:
        """Write what a run gave as plain data."""
        values = {one.metric: self._value(one, history) for one in self.frame.plan.objectives}
        return {"run": history.folder.name, **{key: value for key, value in values.items() if not math.isnan(value)}}

    def _retry(self, cause: str) -> None:
        """Begin another attempt at a trial whose process was killed; it goes on from its checkpoint."""
        self.claim.note_death(cause)
        died = deaths(self._folder)
        if len(died) > RETRIES:
            self._outcome = self._made("FAILED", reason=f"killed {len(died)} times, the last time: {cause}")
            return
        text = "trial %d: %s; it goes on from its checkpoint (retry %d of %d)."
        _LOG.warning(text, self.number, cause, len(died), RETRIES)
        claim = take(self._folder)
        if claim is None:
            raise Unsettled(f"trial {self.number}: another worker has taken it")
        self.claim = claim

    def _try_later(self, reason: str) -> None:
        self._tries += 1
        if self._tries > 20:
            raise Unsettled(f"trial {self.number}: {reason}")
        _LOG.warning("trial %d: %s It is tried again in %.0f s.", self.number, reason, _AROUND_S)
        self._again_at = time.monotonic() + _AROUND_S


def _tags(work: Work) -> list[str]:
    tags = {"sweep": work.frame.plan.name, "trial": str(work.number), "trial_state": "RUNNING"}
    return ["--tags", json.dumps(tags)]
