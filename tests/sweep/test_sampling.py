"""Samplers and pruners that could not do in a sweep what they are for."""

import numpy as np
import optuna
import pytest

from lit_medseg.errors import ConfigError
from lit_medseg.sweep.sampling import check_sampler
from lit_medseg.sweep.study import quieten
from tests.sweep.searches import GRID, plan_with

pytestmark = pytest.mark.filterwarnings("ignore:.*experimental.*")
PAIRS = "optuna.pruners.WilcoxonPruner"


def test_a_grid_has_no_first_trials_an_exhaustive_search_has(tmp_path):
    quieten()
    keys = {"space": GRID, "enqueue": [{"x": 0.0, "kind": "flat"}]}
    with pytest.raises(ConfigError, match=r"^enqueue: a grid has its own order.*BruteForceSampler"):
        check_sampler(plan_with(tmp_path, sampler="optuna.samplers.GridSampler", **keys))
    check_sampler(plan_with(tmp_path, sampler="optuna.samplers.BruteForceSampler", **keys))


@pytest.mark.parametrize(("arguments", "fewest"), [({}, 5), ({"p_threshold": 0.2}, 4), ({"n_startup_steps": 6}, 7)])
def test_a_pruner_of_pairs_needs_so_many_runs(tmp_path, arguments, fewest):
    quieten()
    pruner = {"class_path": PAIRS, "init_args": arguments}
    with pytest.raises(ConfigError, match=rf"^pruner: it compares .* expected {fewest} or more, got {fewest - 1}\."):
        check_sampler(plan_with(tmp_path, pruner=pruner, repeats=fewest - 1))
    check_sampler(plan_with(tmp_path, pruner=pruner, folds=fewest))
    # and so it is: a trial that is worse in all its runs is pruned once one run less than these was seen
    asked = _asked(optuna.pruners.WilcoxonPruner(**arguments), runs=fewest)
    assert asked.index(True) == fewest - 2


def _asked(pruner, runs):
    study = optuna.create_study(direction="maximize", pruner=pruner)
    best = study.ask()
    for run in range(1, runs + 1):
        best.report(0.9 + 0.01 * run, run)
    study.tell(best, float(np.mean([0.9 + 0.01 * run for run in range(1, runs + 1)])))
    worse, answers = study.ask(), []
    for run in range(1, runs):
        worse.report(0.5 + 0.02 * run, run)
        answers.append(worse.should_prune())
    return answers
