"""Asking the pruner: a worker that is killed after it has asked hears the same answer when it asks again."""

import optuna
import pytest
from optuna.trial import TrialState

from lit_medseg.sweep.kept_back import answer_of
from lit_medseg.sweep.study import open_storage, quieten
from lit_medseg.sweep.tell import ASKED, Outcome, falls_behind, report, tell
from tests.sweep.searches import GRID, opened, plan_with, search

PRUNERS = {
    "halving": optuna.pruners.SuccessiveHalvingPruner(min_resource=1, reduction_factor=2),
    "hyperband": optuna.pruners.HyperbandPruner(min_resource=1, max_resource=4, reduction_factor=2),
    "median": optuna.pruners.MedianPruner(n_startup_trials=2),
}


def _answers(folder, pruner, ask):
    """Report four epochs of each of ten trials, until the pruner ends it."""
    quieten()
    storage = open_storage(None, folder)
    study = optuna.create_study(study_name="s", storage=storage, direction="maximize", pruner=pruner)
    found = []
    for number in range(10):
        study.ask()
        for epoch in range(1, 5):
            report(study, number, epoch, (number * 7 % 10) / 10 + epoch / 100)
            stops = ask(study, number)
            found.append((number, epoch, stops))
            if stops:
                break
        study.tell(number, state=TrialState.PRUNED) if stops else study.tell(number, number / 10)
    return found


def _by_itself(study, number):
    return study.pruner.prune(study, study.get_trials()[number])


def _twice(study, number):
    first, second = falls_behind(study, number), falls_behind(study, number)
    assert first == second
    return second


def _killed_between(study, number):
    """The answer is stored, the pruner's notes are not yet."""
    frozen = study.get_trials()[number]
    stops, notes = answer_of(study, frozen)
    assert study.get_trials()[number].system_attrs == frozen.system_attrs
    if notes:
        answer = {"step": frozen.last_step, "stops": stops, "notes": notes}
        study._storage.set_trial_user_attr(frozen._trial_id, ASKED, answer)
    again = falls_behind(study, number)
    assert study.get_trials()[number].system_attrs.items() >= notes.items()
    return again


@pytest.mark.filterwarnings("ignore:.*experimental.*")
@pytest.mark.parametrize("kind", PRUNERS)
def test_a_pruner_that_is_asked_again_answers_the_same(tmp_path, kind):
    once = _answers(tmp_path / "plain", PRUNERS[kind], _by_itself)
    assert {stops for *_, stops in once} == {True, False}
    assert _answers(tmp_path / "once", PRUNERS[kind], falls_behind) == once
    assert _answers(tmp_path / "twice", PRUNERS[kind], _twice) == once
    assert _answers(tmp_path / "killed", PRUNERS[kind], _killed_between) == once


class SettledMeanwhile(optuna.samplers.RandomSampler):
    """While one worker settles a trial, another one does."""

    def after_trial(self, study, trial, state, values):
        study._storage.set_trial_state_values(trial._trial_id, TrialState.COMPLETE, [0.9])


class SettledWhenAsked(optuna.pruners.BasePruner):
    """While one worker asks about a trial, another one settles it."""

    def prune(self, study, trial):
        optuna.load_study(study_name=study.study_name, storage=study._storage._passed).tell(trial.number, 0.9)
        study._storage.set_trial_system_attr(trial._trial_id, "note", 1)
        return True


@pytest.mark.parametrize("asks", [True, False])
def test_a_trial_that_another_worker_settles_meanwhile_is_left_as_it_is(tmp_path, asks):
    quieten()
    keys = {"pruner": f"{__name__}.SettledWhenAsked"} if asks else {"sampler": f"{__name__}.SettledMeanwhile"}
    plan = plan_with(tmp_path, **keys)
    study, _ = opened(plan, tmp_path)
    number = study.ask().number
    report(study, number, 1, 0.1)
    if asks:
        assert not falls_behind(study, number)
    assert tell(plan, study, number, Outcome("FAILED", reason="too late")).values == [0.9]
    report(study, number, 2, 0.2)
    assert study.get_trials()[number].intermediate_values == {1: 0.1}


def test_a_search_that_is_exhausted_goes_on_with_another_sampler(tmp_path):
    quieten()
    grid = plan_with(tmp_path, trials=9, space=GRID, sampler="optuna.samplers.BruteForceSampler")
    assert len(search(grid, tmp_path)) == 6
    other = plan_with(tmp_path, trials=9, space=GRID, sampler="optuna.samplers.RandomSampler")
    assert len(search(other, tmp_path)) == 9
    assert len(search(grid, tmp_path)) == 9
