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
_PATIENCE_S = 60.0
"""How long to wait for a worker that draws; who waits does not look after its own trials."""
EXHAUSTED = "lit_medseg/exhausted"
"""Study attribute: class path of the sampler that has nothing new."""


class NotNow(Exception):  # noqa: N818 - no error: one asks again
    """No trial can be begun before something has happened; its text says what.

    Most often a child of a dead worker still works on a trial: a new one would be drawn without its result, on its
    devices.
    """


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
        The trial; None where there is none to begin.

    Raises:
        NotNow: None can be begun before a child without a worker has stopped.
        TrackingError: Another worker draws, or hangs.
    """
    with file_lock(place.ask_lock, _PATIENCE_S):
        trials = study.get_trials(deepcopy=False)
        left = _left_behind(trials, place)
        orphans = [frozen for frozen in left if lives(frozen.number)]
        for frozen in left:
            claim = None if frozen in orphans else _taken_over(study, frozen.number, place)
            if claim is not None:
                return _gone_on_with(plan, study, frozen, claim)
        if orphans:
            raise NotNow(f"trial {orphans[0].number} has a child without a worker, which stops at its next step")
        if not new or not _room(plan, study, trials):
            return None
        return _new(plan, study, place, trials)


def _left_behind(trials: list["FrozenTrial"], place: Place) -> list["FrozenTrial"]:
    """List the trials whose worker is gone."""
    from optuna.trial import TrialState  # noqa: PLC0415 (`--help` is instant)

    running = [trial for trial in trials if trial.state == TrialState.RUNNING]
    return [one for one in running if not any(claim.held for claim in claims(place.trial(one.number))[-1:])]


def _taken_over(study: "Study", number: int, place: Place) -> Claim | None:
    from optuna.trial import TrialState  # noqa: PLC0415 (`--help` is instant)

    # its worker may have settled it since the trials were read, and gone
    if study.get_trials(deepcopy=False)[number].state != TrialState.RUNNING:
        return None
    return take(place.trial(number))


def _room(plan: Plan, study: "Study", trials: list["FrozenTrial"]) -> bool:
    from optuna.trial import TrialState  # noqa: PLC0415 (`--help` is instant)

    begun = sum(trial.state != TrialState.WAITING for trial in trials)
    if study.user_attrs.get(EXHAUSTED) == plan.sampler.path or begun >= _grid_size(plan):
        return False
    return plan.budget.trials is None or begun < plan.budget.trials


def _grid_size(plan: Plan) -> float:
    """Count the points of a grid; beyond them the sampler would give one twice."""
    if not plan.sampler.path.endswith(".GridSampler"):
        return float("inf")
    return float(len(make_sampler(plan, 0)._all_grids))  # type: ignore[attr-defined]  # it has no public size


def _new(plan: Plan, study: "Study", place: Place, trials: list["FrozenTrial"]) -> Asked:
    from optuna.trial import TrialState  # noqa: PLC0415 (`--help` is instant)

    waiting = [trial.number for trial in trials if trial.state == TrialState.WAITING]
    number = waiting[0] if waiting else len(trials)
    study.sampler = make_sampler(plan, number)
    trial = study.ask()
    settings = _draw(plan, study, trial)
    claim = take(place.trial(trial.number))
    if claim is None:  # where locks do not hold between hosts, another worker may have taken it up already
        raise NotNow(f"trial {trial.number} was taken by another worker")
    return Asked(trial, settings, claim)


def _gone_on_with(plan: Plan, study: "Study", frozen: "FrozenTrial", claim: Claim) -> Asked:
    """Take a trial up again; what its worker had not drawn yet is drawn now, and is the same."""
    from optuna import Trial  # noqa: PLC0415 (`--help` is instant)

    try:
        study.sampler = make_sampler(plan, frozen.number)
        trial = Trial(study, frozen._trial_id)
        drawn = _drawn_together(study._storage.get_trial_system_attrs(frozen._trial_id))
        if drawn:
            trial._fixed_params = {**drawn, **trial._fixed_params}
        return Asked(trial, _draw(plan, study, trial, together=not drawn), claim)
    except BaseException:
        claim.give_back()
        raise


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
