"""The trials of a study as rows, and which of them won."""

import csv
import io
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from lit_medseg.sweep.parameter import Setting
from lit_medseg.sweep.plan import Objective, Plan
from lit_medseg.sweep.tell import EPOCHS, PARTS, REASON

if TYPE_CHECKING:
    from optuna import Study
    from optuna.trial import FrozenTrial

_STATES = {"FAIL": "FAILED"}


@dataclass(frozen=True)
class Row:
    """One trial.

    Attributes:
        number: From 0.
        state: COMPLETE, PRUNED, FAILED, RUNNING or WAITING.
        values: One an objective; empty unless complete. Of a pruned trial the last one that was reported.
        settings: By parameter.
        parts: Its runs, see `Outcome.parts`.
        reason: Why it was stopped or failed.
        epochs: Trained in all of its runs.
        seconds: From its beginning to its end; NaN while it lasts.
        feasible: Whether it kept the limits.
    """

    number: int
    state: str
    values: tuple[float, ...]
    settings: dict[str, Setting]
    parts: tuple[dict[str, Any], ...]
    reason: str
    epochs: int
    seconds: float
    feasible: bool

    def part_values(self, objective: Objective) -> list[float]:
        """Give an objective's value of each run."""
        return [float(part[objective.metric]) for part in self.parts if objective.metric in part]


def rows_of(study: "Study") -> list[Row]:
    """Read all trials, in order."""
    return [_row(trial) for trial in study.get_trials(deepcopy=False)]


def _row(trial: "FrozenTrial") -> Row:
    start, end = trial.datetime_start, trial.datetime_complete
    excess = [value for key, value in trial.system_attrs.items() if key.startswith("constraints:")]
    return Row(
        number=trial.number,
        state=_STATES.get(trial.state.name, trial.state.name),
        values=tuple(trial.values or ()),
        settings=dict(trial.params),
        parts=tuple(trial.user_attrs.get(PARTS, ())),
        reason=str(trial.user_attrs.get(REASON, "")),
        epochs=int(trial.user_attrs.get(EPOCHS, 0)),
        seconds=math.nan if start is None or end is None else (end - start).total_seconds(),
        feasible=all(value <= 0 for value in excess),
    )


def ranked(plan: Plan, rows: Sequence[Row]) -> list[Row]:
    """Order the complete trials that keep the limits, the best by the first objective first.

    Equal values stand in the order of the trials.
    """
    complete = [row for row in rows if row.state == "COMPLETE" and row.feasible]
    sign = -1.0 if plan.objectives[0].larger else 1.0
    return sorted(complete, key=lambda row: (sign * row.values[0], row.number))


def pareto_front(plan: Plan, rows: Sequence[Row]) -> list[Row]:
    """Give the trials that no other one beats in one objective without losing in another."""
    complete = ranked(plan, rows)
    signs = [1.0 if objective.larger else -1.0 for objective in plan.objectives]

    def beats(one: Row, other: Row) -> bool:
        pairs = [(s * a, s * b) for s, a, b in zip(signs, one.values, other.values, strict=True)]
        return all(a >= b for a, b in pairs) and any(a > b for a, b in pairs)

    return [row for row in complete if not any(beats(other, row) for other in complete)]


def as_csv(plan: Plan, rows: Sequence[Row]) -> str:
    """Write the trials as a table: one line each, the settings by their names, the runs that belong to it."""
    metrics = [objective.metric for objective in plan.objectives]
    names = [parameter.name for parameter in plan.space]
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["trial", "state", *metrics, *names, "epochs", "seconds", "runs", "reason"])
    for row in rows:
        values = row.values if row.state == "COMPLETE" else ()
        padded = [*values, *[""] * (len(metrics) - len(values))]
        settings = [_cell(row.settings, name) for name in names]
        runs = " ".join(str(part["run"]) for part in row.parts)
        seconds = "" if math.isnan(row.seconds) else f"{row.seconds:.1f}"
        writer.writerow([row.number, row.state, *padded, *settings, row.epochs, seconds, runs, row.reason])
    return text.getvalue()


def _cell(settings: dict[str, Setting], name: str) -> Any:
    if name not in settings:
        return ""
    value = settings[name]
    return "null" if value is None else value
