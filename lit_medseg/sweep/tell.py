"""Tell the study what came of a trial, once."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from lit_medseg.sweep.ask import EXHAUSTED
from lit_medseg.sweep.kept_back import answer_of
from lit_medseg.sweep.plan import Plan
from lit_medseg.sweep.sampling import make_sampler

if TYPE_CHECKING:
    from optuna import Study
    from optuna.trial import FrozenTrial

State = Literal["COMPLETE", "PRUNED", "FAILED"]
REASON = "reason"
PARTS = "parts"
EPOCHS = "epochs"
ASKED = "asked"
"""The pruner's last answer, where it notes something in the trial when it is asked."""


@dataclass(frozen=True)
class Outcome:
    """What came of a trial.

    Attributes:
        state: COMPLETE with values; PRUNED where it was stopped; FAILED where its settings cannot be trained.
        values: One an objective; empty unless COMPLETE.
        reason: Why it was stopped or failed; empty for a complete one.
        parts: For each of its runs: its name and its values, by `run` and the metrics' keys.
        epochs: Trained in all of its runs.
        excess: By constrained metric, by how much the limit is exceeded; zero or less where it is kept.
    """

    state: State
    values: tuple[float, ...] = ()
    reason: str = ""
    parts: tuple[dict[str, Any], ...] = ()
    epochs: int = 0
    excess: Mapping[str, float] = field(default_factory=dict)


def tell(plan: Plan, study: "Study", number: int, outcome: Outcome) -> "FrozenTrial":
    """Finish a trial in the study.

    Telling again does nothing: a worker whose connection broke does not know whether the study has heard.

    Args:
        plan: The sweep.
        study: Its study.
        number: Of the trial.
        outcome: What came of it.

    Returns:
        The trial as the study has it.
    """
    frozen = study.get_trials(deepcopy=False)[number]
    if frozen.state.is_finished():
        return frozen
    with _unless_settled():
        _note(study, frozen, outcome)
        _finish(plan, study, number, outcome)
    return study.get_trials(deepcopy=False)[number]


@contextmanager
def _unless_settled() -> Iterator[None]:
    """Do nothing where another worker, which has taken the trial from one that stood still, has settled it."""
    from optuna.exceptions import UpdateFinishedTrialError  # noqa: PLC0415 (`--help` is instant)

    with suppress(UpdateFinishedTrialError):
        yield


def _note(study: "Study", frozen: "FrozenTrial", outcome: Outcome) -> None:
    notes = {REASON: outcome.reason, PARTS: list(outcome.parts), EPOCHS: outcome.epochs}
    for key, value in notes.items():
        study._storage.set_trial_user_attr(frozen._trial_id, key, value)
    _note_limits(study, frozen, outcome.excess)


def _finish(plan: Plan, study: "Study", number: int, outcome: Outcome) -> None:
    from optuna.trial import TrialState  # noqa: PLC0415 (`--help` is instant)

    states = {"COMPLETE": TrialState.COMPLETE, "PRUNED": TrialState.PRUNED, "FAILED": TrialState.FAIL}
    values = list(outcome.values) if outcome.state == "COMPLETE" else None
    study.sampler = make_sampler(plan, number)
    try:
        study.tell(number, values, state=states[outcome.state], skip_if_finished=True)
    except RuntimeError as error:
        # a grid, or an exhaustive search, has come to its end: that can be said within `optimize` alone
        if "Study.stop" not in str(error):
            raise
        study.set_user_attr(EXHAUSTED, plan.sampler.path)


def _note_limits(study: "Study", frozen: "FrozenTrial", excess: Mapping[str, float]) -> None:
    from optuna import Trial  # noqa: PLC0415 (`--help` is instant)

    if not excess:
        return
    trial = Trial(study, frozen._trial_id)
    for metric, value in excess.items():
        if f"constraints:{metric}" not in frozen.system_attrs:
            trial.set_constraint(metric, value)


def report(study: "Study", number: int, step: int, value: float) -> None:
    """Report a value of a trial for the pruner; a step that was reported keeps its first value."""
    frozen = study.get_trials(deepcopy=False)[number]
    if step not in frozen.intermediate_values and not frozen.state.is_finished():
        with _unless_settled():
            study._storage.set_trial_intermediate_value(frozen._trial_id, step, value)


def falls_behind(study: "Study", number: int) -> bool:
    """Ask the pruner about a trial, by what was reported so far; asked again at a step, it answers the same."""
    with _unless_settled():
        return _answer(study, number)
    return False


def _answer(study: "Study", number: int) -> bool:
    frozen = study.get_trials(deepcopy=False)[number]
    asked = frozen.user_attrs.get(ASKED)
    if asked is None or asked["step"] != frozen.last_step:
        stops, notes = answer_of(study, frozen)
        asked = {"step": frozen.last_step, "stops": stops, "notes": notes}
        if notes:
            study._storage.set_trial_user_attr(frozen._trial_id, ASKED, asked)
    for key, value in asked["notes"].items():
        if frozen.system_attrs.get(key) != value:
            study._storage.set_trial_system_attr(frozen._trial_id, key, value)
    return bool(asked["stops"])
