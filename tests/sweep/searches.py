"""Searches with an objective that is a formula: the code of a sweep's parent, without its children."""

import math

from lit_medseg.sweep.ask import next_trial
from lit_medseg.sweep.place import Place
from lit_medseg.sweep.read_plan import plan_of
from lit_medseg.sweep.sampling import make_sampler
from lit_medseg.sweep.study import open_storage, open_study
from lit_medseg.sweep.tell import Outcome, tell
from tests.sweep.sweep_runs import settled

SPACE = {
    "x": {"low": -2.0, "high": 2.0},
    "kind": {"values": ["flat", "steep"]},
    "slope": {"low": 1.0, "high": 9.0, "log": True, "when": {"kind": "steep"}},
    "n": {"low": 1, "high": 4},
}
GRID = {"x": {"low": -1.0, "high": 1.0, "step": 1.0}, "kind": {"values": ["flat", "steep"]}}


def plan_with(folder, trials=8, space=None, name="search", **keys):
    plain = {
        "experiment": "none.yaml",
        "space": space or SPACE,
        "objective": {"metric": "val/dice"},
        "budget": {"trials": trials},
        **keys,
    }
    return plan_of(plain, folder, name)


def opened(plan, folder, address=None):
    place = Place(folder, plan.name)
    storage = open_storage(address, place.folder.path)
    return open_study(plan, storage, plan.definition([]), "id"), place


def nobody(number):
    return False


def height(settings):
    """Every setting counts; NaN is far from it."""
    slope = settings.get("slope", 0.5)
    return -slope * (settings["x"] - 0.7) ** 2 - 0.1 * math.fabs(settings.get("n", 2) - 3)


def search(plan, folder, most=10_000, address=None):
    """Search to the end, or as far as `most` trials; gives what was found."""
    study, place = opened(plan, folder, address)
    for _ in range(most):
        asked = next_trial(plan, study, place, True, nobody)
        if asked is None:
            break
        value = height(asked.settings)
        values = (value,) if len(plan.objectives) == 1 else (value, asked.settings["x"])
        tell(plan, study, asked.trial.number, Outcome("COMPLETE", values))
        asked.claim.give_back()
    return settled(study)


def leave_half_drawn(plan, folder, parameters):
    """Leave what a worker leaves that is killed while it draws: a trial without a claim, with some of its settings."""
    study, _ = opened(plan, folder)
    number = len(study.get_trials(deepcopy=False))
    study.sampler = make_sampler(plan, number)
    trial = study.ask()
    _ = trial.relative_params
    for parameter in plan.space[:parameters]:
        study.sampler = make_sampler(plan, number, parameter.name)
        trial._suggest(parameter.name, parameter.domain.distribution())
