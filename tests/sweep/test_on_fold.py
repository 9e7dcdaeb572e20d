"""Experiments on the folds of a sweep: what is checked before the first trial is what its runs get."""

import pytest

from lit_medseg.sweep.on_fold import on_fold
from lit_medseg.sweep.parts import make_parts
from lit_medseg.sweep.read_plan import read_plan
from lit_medseg.sweep.trials_of_space import variants
from tests.sweep.sweep_runs import LR, NORM, experiment, prepare, sweep

SPLITTER = ("data", "init_args", "splitter", "init_args")


def splitter_of(settings):
    for key in SPLITTER:
        settings = settings[key]
    return settings


def test_the_runs_of_a_trial_get_the_folds_that_were_checked(tmp_path):
    plan = read_plan(prepare(tmp_path, experiment(), sweep(folds=3, seed=5, space={LR: {"values": [0.1]}})))
    checked = [one.settings for one in variants(plan, experiment())]
    parts = make_parts(plan, [experiment()], {LR: 0.1})
    assert [part.suffix for part in parts] == ["-f0", "-f1", "-f2"]
    assert parts[0].settings == checked[1]
    for fold, part in enumerate(parts):
        own = experiment()["data"]["init_args"]["splitter"]
        assert splitter_of(part.settings) == {"splitter": own, "folds": 3, "fold": fold, "seed": 5, "stratify": None}
        assert part.settings["seed_everything"] == 3


@pytest.mark.parametrize(
    ("own", "stratify"),
    [
        (None, None),
        ("lit_medseg.catalogue.hold_out.HoldOut", None),
        ({"class_path": "lit_medseg.catalogue.hold_out.HoldOut"}, None),
        ({"class_path": "lit_medseg.catalogue.hold_out.HoldOut", "init_args": {"stratify": "site"}}, "site"),
    ],
)
def test_the_own_splitter_says_what_is_tested_and_balanced(tmp_path, own, stratify):
    plan = read_plan(prepare(tmp_path, experiment(), sweep(folds=2)))
    base = experiment()
    base["data"]["init_args"]["splitter"] = own
    found = splitter_of(on_fold(base, plan, 1))
    assert (found["splitter"], found["stratify"]) == (own, stratify)
    assert base["data"]["init_args"]["splitter"] == own


def test_without_folds_an_experiment_stays_as_it_is(tmp_path):
    plan = read_plan(prepare(tmp_path, experiment(), sweep()))
    assert on_fold(experiment(), plan, 0) == experiment()
    assert [part.suffix for part in make_parts(plan, [experiment()], {LR: 0.1, NORM: True})] == [""]
