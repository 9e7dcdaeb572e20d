"""What came of a trial, made of the histories of its runs."""

import math
import statistics
from collections.abc import Sequence
from typing import Any

from lit_medseg.sweep.history import History, value_of
from lit_medseg.sweep.plan import Objective, Plan
from lit_medseg.sweep.tell import Outcome, State


def run_value(objective: Objective, history: History) -> float:
    """Give the value of a run; NaN where it has none."""
    return value_of(objective, history.values.get(objective.metric, {}))


def make_outcome(plan: Plan, histories: Sequence[History], state: State, reason: str = "") -> Outcome:
    """Put together what came of a trial.

    Args:
        plan: The sweep.
        histories: Of the trial's runs, as far as they were begun.
        state: What it is from now on; only a COMPLETE one has values, the means over its runs.
        reason: Why it was stopped or failed.
    """
    complete = plan.objectives if state == "COMPLETE" else ()
    values = tuple(statistics.fmean(run_value(one, history) for history in histories) for one in complete)
    excess = {}
    for limit in plan.limits:
        seen = [value for value in (history.most(limit.metric) for history in histories) if value is not None]
        if seen:
            excess[limit.metric] = max(seen) - limit.most
    epochs = sum(history.epochs for history in histories)
    return Outcome(state, values, reason, tuple(_plain(plan, history) for history in histories), epochs, excess)


def _plain(plan: Plan, history: History) -> dict[str, Any]:
    """Write what a run gave as plain data."""
    values = {one.metric: run_value(one, history) for one in plan.objectives}
    return {"run": history.folder.name, **{key: value for key, value in values.items() if not math.isnan(value)}}
