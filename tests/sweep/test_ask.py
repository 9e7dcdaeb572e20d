"""An interrupted search draws what the undisturbed one draws; the budget is kept, whoever asks."""

import multiprocessing

import pytest

from lit_medseg.sweep.ask import NotNow, next_trial
from lit_medseg.sweep.claim import claims, take
from lit_medseg.sweep.study import quieten
from tests.sweep.searches import GRID, SPACE, leave_half_drawn, nobody, opened, plan_with, search

SAMPLERS = {
    "TPESampler": {"n_startup_trials": 3},
    "RandomSampler": {},
    "CmaEsSampler": {"n_startup_trials": 2, "popsize": 4},  # a second generation is reached
    "NSGAIISampler": {"population_size": 3},
    "GPSampler": {"n_startup_trials": 3},
    "GridSampler": {},
    "BruteForceSampler": {},
}
pytestmark = pytest.mark.filterwarnings("ignore:.*experimental.*")


@pytest.fixture(autouse=True)
def _quiet():
    quieten()


def planned(folder, sampler, **keys):
    space = GRID if sampler in ("GridSampler", "BruteForceSampler") else SPACE
    wanted = {"class_path": f"optuna.samplers.{sampler}", "init_args": SAMPLERS[sampler]}
    return plan_with(folder, space=space, sampler=wanted, **keys)


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_a_search_that_is_killed_while_it_draws_goes_on_as_if_it_had_not_been(tmp_path, sampler):
    plan = planned(tmp_path, sampler)
    undisturbed = search(plan, tmp_path / "a")
    assert len(undisturbed) == (6 if plan.space[0].domain.step else 8)
    for most in (2, 2, 1):
        search(plan, tmp_path / "b", most)
        leave_half_drawn(plan, tmp_path / "b", most - 1)
    search(plan, tmp_path / "b")
    assert search(plan, tmp_path / "b") == undisturbed
    assert {state for _, state, *_ in undisturbed} == {"COMPLETE"}


def test_the_seed_of_the_sweep_counts(tmp_path):
    first, again, other = (
        search(plan_with(tmp_path, seed=seed), tmp_path / name) for name, seed in (("a", 1), ("b", 1), ("c", 2))
    )
    assert first == again
    assert first != other


def test_a_grid_has_every_point_once(tmp_path):
    points = [tuple(row[2].values()) for row in search(planned(tmp_path, "GridSampler", trials=50), tmp_path / "a")]
    assert len(points) == len(set(points)) == 6


def test_first_trials_come_first_and_what_they_leave_out_is_drawn(tmp_path):
    plan = plan_with(tmp_path, trials=3, enqueue=[{"x": 0.5, "kind": "steep"}, {"n": 4}])
    rows = search(plan, tmp_path / "a")
    assert rows[0][2]["x"] == 0.5
    assert rows[0][2]["kind"] == "steep"
    assert 1 <= rows[0][2]["slope"] <= 9
    assert rows[1][2]["n"] == 4
    assert len(rows) == 3


def test_branches_have_their_parameters_alone(tmp_path):
    rows = search(plan_with(tmp_path, trials=12), tmp_path / "a")
    assert {("slope" in row[2]) == (row[2]["kind"] == "steep") for row in rows} == {True}


def test_a_trial_in_living_hands_is_left_alone_and_one_given_back_is_taken(tmp_path):
    plan = plan_with(tmp_path, trials=2)
    study, place = opened(plan, tmp_path)
    asked = next_trial(plan, study, place, True, nobody)
    assert next_trial(plan, study, place, False, nobody) is None  # ours
    asked.claim.give_back()
    with pytest.raises(NotNow):  # its child still lives: no further trial is begun beside it
        next_trial(plan, study, place, True, lambda number: True)
    assert len(study.get_trials()) == 1
    again = next_trial(plan, study, place, False, nobody)  # the hours are over, but what was begun goes on
    assert again.settings == asked.settings
    assert again.claim.attempt == 2


def _work(folder, trials):
    quieten()
    search(plan_with(folder, trials=trials), folder)


@pytest.mark.slow
def test_several_workers_share_a_budget_without_losing_or_doubling_a_trial(tmp_path):
    opened(plan_with(tmp_path, trials=24), tmp_path)
    context = multiprocessing.get_context("spawn")
    workers = [context.Process(target=_work, args=(tmp_path, 24)) for _ in range(3)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(200)
    assert [worker.exitcode for worker in workers] == [0, 0, 0]
    study, place = opened(plan_with(tmp_path, trials=24), tmp_path)
    trials = study.get_trials(deepcopy=False)
    assert [trial.state.name for trial in trials] == ["COMPLETE"] * 24
    assert [len(claims(place.trial(trial.number))) for trial in trials] == [1] * 24


def _take(folder, results):
    results.put(take(folder) is not None)


def test_one_worker_alone_gets_a_claim(tmp_path):
    context = multiprocessing.get_context("spawn")
    results = context.Queue()
    workers = [context.Process(target=_take, args=(tmp_path / "trial", results)) for _ in range(2)]
    for worker in workers:
        worker.start()
    got = [results.get(timeout=60) for _ in workers]
    for worker in workers:
        worker.join(60)
    # the second may come when the first is gone already: then it takes the next attempt
    assert got.count(True) == len(claims(tmp_path / "trial"))
    assert [claim.attempt for claim in claims(tmp_path / "trial")] == list(range(1, 1 + got.count(True)))
