"""The next trial: one that a dead worker left, or a new one."""

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from lit_medseg.sweep.claim import Claim, claims, take
from lit_medseg.sweep.file_lock import file_lock
from lit_medseg.sweep.parameter import Choices, Parameter, Setting
from lit_medseg.sweep.place import Place
from lit_medseg.sweep.plan import Plan
from lit_medseg.sweep.sampling import make_sampler

if TYPE_CHECKING:
    from optuna import Study, Trial
    from optuna.trial import FrozenTrial

_TOGETHER = re.compile(r"gp:relative_params:\d+")
EXHAUSTED = "lit_medseg/exhausted"
"""Study attribute: the sampler has nothing new."""


@dataclass(frozen=True)
class Asked:
    """A trial to work on.

    Attributes:
        trial: As the study has it; it is RUNNING.
        settings: By parameter.
        claim: This worker's hold on it.
    """

    trial: "Trial"
    settings: dict[str, Setting]
    claim: Claim


def next_trial(plan: Plan, study: "Study", place: Place, new: bool, lives: Callable[[int], bool]) -> Asked | None:
    """Take the next trial.

    One worker at a time does so: a trial that is RUNNING and has no claim was left by a worker that was killed there.

    Args:
        plan: The sweep.
        study: Its study.
        place: Its folders.
        new: Whether a new trial may be begun: the budget of hours is not used up.
        lives: Tells whether a child of a dead worker still works on the trial of a number.

    Returns:
        The trial; None where there is none to begin now.
    """
    with file_lock(place.ask_lock):
        trials = study.get_trials(deepcopy=False)
        left = _left_behind(study, trials, place, lives)
        if left is not None:
            frozen, claim = left
            try:
                return _settled(plan, study, frozen.number, frozen._trial_id, claim)
            except BaseException:
                claim.give_back()
                raise
        if not new or not _room(plan, study, trials):
            return None
        return _new(plan, study, place, trials)


def _left_behind(
    study: "Study", trials: list["FrozenTrial"], place: Place, lives: Callable[[int], bool]
) -> tuple["FrozenTrial", Claim] | None:
    from optuna.trial import TrialState  # noqa: PLC0415 (`--help` is instant)

    for trial in trials:
        if trial.state != TrialState.RUNNING:
            continue
        folder = place.trial(trial.number)
        held = [claim for claim in claims(folder)[-1:] if claim.held]
        if held or lives(trial.number):
            continue
        # its worker may have settled it since the trials were read, and gone
        if study.get_trials(deepcopy=False)[trial.number].state != TrialState.RUNNING:
            continue
        claim = take(folder)
        if claim is not None:
            return trial, claim
    return None


def _room(plan: Plan, study: "Study", trials: list["FrozenTrial"]) -> bool:
    from optuna.trial import TrialState  # noqa: PLC0415 (`--help` is instant)

    begun = sum(trial.state != TrialState.WAITING for trial in trials)
    if study.user_attrs.get(EXHAUSTED) or begun >= _grid_size(plan):
        return False
    return plan.budget.trials is None or begun < plan.budget.trials


def _grid_size(plan: Plan) -> float:
    """Count the points of a grid; beyond them the sampler would give one twice."""
    if not plan.sampler.path.endswith(".GridSampler"):
        return float("inf")
    return float(len(make_sampler(plan, 0)._all_grids))  # type: ignore[attr-defined]  # it has no public size


def _new(plan: Plan, study: "Study", place: Place, trials: list["FrozenTrial"]) -> Asked | None:
    from optuna.trial import TrialState  # noqa: PLC0415 (`--help` is instant)

    waiting = [trial.number for trial in trials if trial.state == TrialState.WAITING]
    number = waiting[0] if waiting else len(trials)
    study.sampler = make_sampler(plan, number)
    trial = study.ask()
    settings = _draw(plan, study, trial)
    claim = take(place.trial(trial.number))
    return None if claim is None else Asked(trial, settings, claim)


def _settled(plan: Plan, study: "Study", number: int, trial_id: int, claim: Claim) -> Asked:
    """Take a trial up again; what its worker had not drawn yet is drawn now, and is the same."""
    from optuna import Trial  # noqa: PLC0415 (`--help` is instant)

    study.sampler = make_sampler(plan, number)
    trial = Trial(study, trial_id)
    drawn = _drawn_together(study._storage.get_trial_system_attrs(trial_id))
    if drawn:
        trial._fixed_params = {**drawn, **trial._fixed_params}
    return Asked(trial, _draw(plan, study, trial, together=not drawn), claim)


def _drawn_together(attributes: dict[str, Any]) -> dict[str, Any]:
    """Read what GPSampler had drawn for a trial as a whole; what it has drawn itself would change what it draws."""
    parts = [key for key in attributes if _TOGETHER.fullmatch(key)]
    text = "".join(str(attributes[key]) for key in sorted(parts, key=lambda key: int(key.rpartition(":")[2])))
    try:
        drawn: dict[str, Any] = json.loads(text) if text else {}
    except ValueError:  # the worker was killed between two parts
        return {}
    return drawn


def _draw(plan: Plan, study: "Study", trial: "Trial", together: bool = True) -> dict[str, Setting]:
    settings: dict[str, Setting] = {}
    if together:
        # now, whichever of the parameters an earlier worker had stored
        _ = trial.relative_params
    for parameter in plan.space:
        if parameter.matters(settings):
            study.sampler = make_sampler(plan, trial.number, parameter.name)
            settings[parameter.name] = _suggest(trial, parameter)
    return settings


def _suggest(trial: "Trial", parameter: Parameter) -> Setting:
    name, domain = parameter.name, parameter.domain
    if isinstance(domain, Choices):
        return trial.suggest_categorical(name, tuple(domain.values))
    if domain.whole:
        return trial.suggest_int(name, int(domain.low), int(domain.high), step=int(domain.step or 1), log=domain.log)
    return trial.suggest_float(name, domain.low, domain.high, step=domain.step, log=domain.log)
