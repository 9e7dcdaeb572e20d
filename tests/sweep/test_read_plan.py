"""A sweep's YAML: what it says, and every fault in one line that names the key."""

import pytest
import yaml

from lit_medseg.errors import ConfigError
from lit_medseg.sweep.parameter import changes_of
from lit_medseg.sweep.plan import Limit, Objective
from lit_medseg.sweep.read_plan import read_plan
from lit_medseg.sweep.sampling import check_sampler, make_pruner
from tests.sweep.sweep_runs import LR, NORM, sweep, write

WHOLE = {
    "space": {
        LR: {"low": 1e-4, "high": 0.1, "log": True},
        "trainer.max_epochs": {"low": 2, "high": 9, "step": 3},
        "model.init_args.loss": {"choices": {"dice": {"class_path": "a.Dice"}, "focal": {"class_path": "a.Focal"}}},
        "model.init_args.loss.init_args.gamma": {"low": 0, "high": 4.0, "when": {"model.init_args.loss": "focal"}},
        "strength": {"values": [0.1, 0.3], "keys": ["data.a.0.init_args.b", "data.a.1.init_args.c"]},
    },
    "objective": [{"metric": "val/dice"}, {"metric": "cost/seconds_per_image", "direction": "min", "take": "last"}],
    "sampler": {"class_path": "optuna.samplers.NSGAIISampler", "init_args": {"population_size": 4}},
    "constraints": {"cost/parameters": 1e6},
    "enqueue": [{LR: 0.01, "model.init_args.loss": "focal"}],
    "budget": {"hours": 0.5},
    "repeats": 2,
    "fixed": {"trainer.precision": "32-true"},
    "presets": {"small": {"budget": {"trials": 2}, "fixed": {"trainer.max_epochs": 1}}},
}


def read(tmp_path, plain, **arguments):
    return read_plan(write(tmp_path, "search.yaml", plain), **arguments)


def test_a_whole_sweep(tmp_path):
    plan = read(tmp_path, {**sweep(), **WHOLE})
    assert plan.name == "search"
    assert plan.experiments == (tmp_path / "tiny.yaml",)
    assert plan.objectives == (Objective("val/dice"), Objective("cost/seconds_per_image", "min", "last"))
    assert plan.limits == (Limit("cost/parameters", 1e6),)
    assert (plan.budget.trials, plan.budget.hours, plan.repeats) == (None, 0.5, 2)
    by_name = {parameter.name: parameter for parameter in plan.space}
    epochs = by_name["trainer.max_epochs"].domain
    assert (epochs.low, epochs.high, epochs.step, epochs.whole) == (2, 8, 3, True)
    gamma = by_name["model.init_args.loss.init_args.gamma"]
    assert not gamma.domain.whole
    assert gamma.matters({"model.init_args.loss": "focal"})
    assert not gamma.matters({"model.init_args.loss": "dice"})
    assert changes_of(plan.space, {"model.init_args.loss": "focal", "strength": 0.3}) == {
        "model.init_args.loss": {"class_path": "a.Focal"},
        "data.a.0.init_args.b": 0.3,
        "data.a.1.init_args.c": 0.3,
    }


def test_a_preset_replaces_what_it_names_and_adds_to_what_is_fixed(tmp_path):
    space = {LR: WHOLE["space"][LR]}
    plan = read(tmp_path, {**sweep(), **WHOLE, "space": space, "enqueue": []}, preset="small")
    assert plan.name == "search-small"
    assert (plan.budget.trials, plan.budget.hours) == (2, None)
    assert plan.fixed == {"trainer.precision": "32-true", "trainer.max_epochs": 1}
    assert read(tmp_path, {**sweep(), **WHOLE}, name="mine").name == "mine"


def with_space(**spec):
    return {"space": {LR: spec}}


FAULTS = {
    "unknown key": ({"sampler2": 1}, "sampler2: unknown key", "'sampler'"),
    "no end": ({"budget": {"trials": None}}, "budget: no end", "trials, hours"),
    "no trials": ({"budget": {"trials": 0}}, "budget.trials", "1 or more"),
    "no objective": ({"objective": None}, "objective: nothing to search for", ""),
    "direction": ({"objective": {"metric": "val/dice", "direction": "up"}}, "objective.direction", "'max', 'min'"),
    "twice": ({"objective": ["val/dice", "val/dice"]}, "objective: a metric twice", ""),
    "no space": ({"space": {}}, "space: unusable value", ""),
    "no range": (with_space(low=1.0), f"space.{LR}.high", "a number"),
    "upside down": (with_space(low=2.0, high=1.0), f"space.{LR}: no range", "low up to high"),
    "log of zero": (with_space(low=0, high=1.0, log=True), f"space.{LR}: no range", "above 0"),
    "text": (with_space(low="low", high=1.0), f"space.{LR}.low", "a number"),
    "nothing": (with_space(), f"space.{LR}: no values", "choices"),
    "both": (with_space(values=[1], low=1, high=2), f"space.{LR}: no values", "['low', 'values']"),
    "log of values": (with_space(values=[1], log=True), f"space.{LR}: log beside values", ""),
    "value twice": (with_space(values=[1, True]), f"space.{LR}: a value twice", ""),
    "unknown spec": (with_space(low=1, high=2, lgo=True), f"space.{LR}.lgo: unknown key", "'log'"),
    "when": ({"space": {LR: {"low": 1, "high": 2, "when": {"x": 1}}}}, f"space.{LR}.when.x: unknown key", ""),
    "enqueue": ({"enqueue": [{LR: 3.0}]}, f"enqueue.0: {LR} cannot be this", "0.0001 to 0.1, logarithmic"),
    "enqueue key": ({"enqueue": [{"lr": 0.01}]}, "enqueue.0.lr: unknown key", f"Did you mean {LR!r}"),
    "folds": ({"folds": 3, "repeats": 2}, "folds: cannot be so", ""),
    "fixed": ({"fixed": {LR: 0.1}}, "fixed: is searched too", LR),
    "pruner": (
        {"objective": ["val/dice", "val/loss"], "pruner": "optuna.pruners.MedianPruner"},
        "pruner: pruning needs one objective",
        "",
    ),
    "sampler": ({"sampler": "optuna.samplers.TPESample"}, "sampler.class_path: no such class", "'TPESampler'"),
    "argument": (
        {"sampler": {"class_path": "optuna.samplers.TPESampler", "init_args": {"n_startup": 3}}},
        "sampler.init_args.n_startup: unknown key",
        "'n_startup_trials'",
    ),
    "no sampler": ({"sampler": "optuna.pruners.NopPruner"}, "sampler: no sampler", ""),
    "grid": ({"sampler": "optuna.samplers.GridSampler"}, f"space.{LR}: a grid needs single values", "a step"),
    "experiment": ({"experiment": 3}, "experiment: no base experiment", ""),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_names_its_key(tmp_path, fault):
    plain, where, expected = FAULTS[fault]
    with pytest.raises(ConfigError) as raised:
        check_sampler(read(tmp_path, {**sweep(), **plain}))
    text = str(raised.value)
    assert text.startswith(where)
    assert expected in text
    assert "\n" not in text


@pytest.mark.parametrize(
    ("content", "expected"), [("a: [", "not a YAML"), ("3", "no settings"), (None, "no such file")]
)
def test_a_file_that_is_no_sweep(tmp_path, content, expected):
    path = tmp_path / "search.yaml"
    if content is not None:
        path.write_text(content)
    with pytest.raises(ConfigError, match=expected):
        read_plan(path)


def test_a_preset_that_is_not_there(tmp_path):
    with pytest.raises(ConfigError, match=r"--preset: no such preset, expected \['small'\]"):
        read(tmp_path, {**sweep(), **WHOLE}, preset="tiny")


def test_numbers_as_yaml_1_1_has_them(tmp_path):
    """`1e-3` is a text in YAML 1.1; a person means a number."""
    path = tmp_path / "search.yaml"
    path.write_text(yaml.safe_dump(sweep(), sort_keys=False).replace("0.0001", "1e-4"))
    assert read_plan(path).space[0].domain.low == 1e-4
    assert [parameter.name for parameter in read_plan(path).space] == [LR, NORM]


@pytest.mark.filterwarnings("ignore:.*experimental.*")
def test_a_pruner_may_wrap_another(tmp_path):
    median = {"class_path": "optuna.pruners.MedianPruner", "init_args": {"n_startup_trials": 2}}
    patient = {"class_path": "optuna.pruners.PatientPruner", "init_args": {"wrapped_pruner": median, "patience": 1}}
    plan = read(tmp_path, sweep(pruner=patient))
    check_sampler(plan)
    assert type(make_pruner(plan)._wrapped_pruner).__name__ == "MedianPruner"
    median["init_args"]["n_startup"] = 3
    with pytest.raises(ConfigError, match=r"^pruner.init_args.wrapped_pruner.init_args.n_startup: unknown key"):
        check_sampler(read(tmp_path, sweep(pruner=patient)))
