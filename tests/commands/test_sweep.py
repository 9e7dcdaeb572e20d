"""`sweep` as a user calls it: real trials, real faults, and what is left of them."""

import json
import subprocess
import sys

import pytest
import yaml

from lit_medseg.cluster.device_pool import DevicePool
from lit_medseg.commands import sweep as command
from lit_medseg.commands.sweep_check import check
from lit_medseg.errors import ConfigError
from lit_medseg.sweep.read_plan import read_plan
from lit_medseg.sweep.trials_of_space import variants, with_cost
from tests.commands.rank_commands import Command
from tests.sweep.sweep_runs import (
    FAKES,
    LR,
    NORM,
    environment,
    experiment,
    mlflow_runs,
    prepare,
    recorded,
    run_sweep,
    study_of,
    sweep,
    write,
)

FAULT = "model.init_args.network.init_args.fault"
SPACE = {**sweep()["space"], FAULT: {"values": ["", "error", "nan", "memory"]}}
GOOD = {LR: 0.03, NORM: False, FAULT: ""}


@pytest.fixture(scope="module")
def searched(tmp_path_factory):
    """Four trials on two workers, three of which cannot be trained."""
    folder = tmp_path_factory.mktemp("searched")
    enqueue = [GOOD, *({**GOOD, FAULT: fault} for fault in ("error", "nan", "memory"))]
    config = prepare(folder, experiment(), sweep(4, space=SPACE, enqueue=enqueue))
    output = run_sweep(folder, "--config", config.name, "--workers", 2)
    return folder, output


@pytest.mark.slow
def test_what_cannot_be_trained_is_failed_with_its_reason_and_stops_nothing(searched):
    folder, output = searched
    trials = study_of(folder, "search").get_trials()
    assert [trial.state.name for trial in trials] == ["COMPLETE", "FAIL", "FAIL", "FAIL"]
    reasons = [trial.user_attrs["reason"] for trial in trials]
    assert "made to fail" in reasons[1]
    assert reasons[2] == "diverged: train/loss is no finite number"
    assert reasons[3].startswith("out of memory")
    assert all(reason[:100] in output for reason in reasons)
    attempts = (folder / "runs" / "search" / "sweep" / "trials").glob("*/attempt-*.json")
    assert len(list(attempts)) == 4  # nothing was tried again


@pytest.mark.slow
def test_mlflow_has_the_sweep_and_a_run_below_it_for_each_trial(searched):
    folder, _ = searched
    runs = {name: (status, tags) for name, status, tags in mlflow_runs(folder, "search")}
    assert sorted(runs) == ["search", *(f"trial-{number:04}" for number in range(4))]
    assert runs["search"][0] == "FINISHED"
    assert runs["trial-0000"][0] == "FINISHED"
    assert [runs[f"trial-{number:04}"][1]["trial_state"] for number in range(4)] == ["COMPLETE", *["FAILED"] * 3]
    parents = {runs[f"trial-{number:04}"][1]["mlflow.parentRunId"] for number in range(4)}
    assert len(parents) == 1
    (parent,) = parents
    artifacts = {path.name for path in (folder / "mlartifacts" / "search" / parent / "artifacts").iterdir()}
    assert {"best.yaml", "trials.csv", "report.txt", "plan.json", "plots.html"} <= artifacts
    assert "optimization_history.png" in artifacts
    assert runs["search"][1]["best_trial"] == "0"
    assert "val/dice" in runs["search"][1]["mlflow.note.content"]


@pytest.mark.slow
def test_the_winner_alone_gives_its_value_again(searched):
    folder, _ = searched
    best = folder / "runs" / "search" / "sweep" / "best.yaml"
    value = study_of(folder, "search").best_value
    fit = Command(folder, "fit", "--config", best, "--experiment", "again", "--run", "alone")
    assert fit.wait() == 0, fit.text
    assert max(recorded(folder / "runs" / "again" / "alone", "val/dice")) == value


@pytest.mark.slow
def test_nothing_is_run_again_and_status_shows_it(searched):
    folder, _ = searched
    before = (folder / "runs" / "search" / "trial-0000" / "records.jsonl").read_bytes()
    refused = run_sweep(folder, "--config", "search.yaml", status=2)
    assert "sweep search: it was begun before" in refused
    again = run_sweep(folder, "--config", "search.yaml", "--resume")
    assert "trial 0 " not in again.replace("trial 0:", "")
    assert (folder / "runs" / "search" / "trial-0000" / "records.jsonl").read_bytes() == before
    shown = run_sweep(folder, "status", "search")
    assert "4 of 4 trials: 1 complete, 3 failed" in shown
    assert "best        trial 0: val/dice" in shown
    missing = run_sweep(folder, "status", "serach", status=2)
    assert "no such sweep, expected one of ['search']" in missing


@pytest.mark.slow
def test_the_study_opens_in_optuna_dashboard(searched):
    folder, _ = searched
    from optuna_dashboard._app import create_app
    from optuna_dashboard._storage import get_studies

    from lit_medseg.sweep.study import open_storage

    storage = open_storage(None, folder / "runs" / "search" / "sweep")
    assert callable(create_app(storage))
    assert [summary.study_name for summary in get_studies(storage)] == ["search"]


@pytest.mark.slow
def test_repeats_two_objectives_and_a_constraint(tmp_path):
    """Trial 0 is two runs with seeds of their own; trial 1 has more parameters than it may, and is stopped."""
    base = experiment(epochs=2)
    network = {"enqueue": [{LR: 0.03, NORM: False}, {LR: 0.03, NORM: True}], "repeats": 2}
    objective = [{"metric": "val/dice"}, {"metric": "cost/seconds_per_image", "direction": "min", "take": "last"}]
    config = prepare(tmp_path, base, sweep(2, objective=objective, constraints={"cost/parameters": 1000}, **network))
    output = run_sweep(tmp_path, "--config", config.name)
    first, second = study_of(tmp_path, "search").get_trials()
    runs = tmp_path / "runs" / "search"
    dice = [max(recorded(runs / f"trial-0000-r{repeat}", "val/dice")) for repeat in (0, 1)]
    assert first.values[0] == pytest.approx(sum(dice) / 2)
    assert dice[0] != dice[1]
    assert first.values[1] > 0
    seeds = [yaml.safe_load((runs / f"trial-0000-r{n}" / "config.yaml").read_text())["seed_everything"] for n in (0, 1)]
    assert seeds == [3, 4]
    limit = recorded(runs / "trial-0001-r0", "cost/parameters")
    assert second.state.name == ("PRUNED" if limit[0] > 1000 else "COMPLETE")
    assert "front       1 trials" in output or limit[0] <= 1000


def asked(folder, base, plain):
    """What the parent asks its child."""
    plan = read_plan(prepare(folder, base, plain))
    found = [[one.where, one.settings] for one in variants(plan, with_cost(plan, base))]
    metrics = [objective.metric for objective in plan.objectives]
    answer = folder / "metrics.json"
    file = folder / "question.json"
    file.write_text(json.dumps({"variants": found, "metrics": metrics, "answer": str(answer)}))
    return file, answer


REFUSED = {
    "unknown key": (
        sweep(space={LR + "x": {"low": 0.1, "high": 0.2}}),
        f"space.{LR}x = 0.1: model.init_args.optimizer.init_args.lrx: unknown key",
        "Did you mean 'lr'?",
    ),
    "unknown part": (sweep(space={"modle.x": {"values": [1]}}), "space.modle.x = 1: modle: unknown key", "'model'"),
    "value": (
        sweep(space={"trainer.max_epochs": {"values": [2, "many"]}}),
        "space.trainer.max_epochs = 'many': trainer.max_epochs: a value of the wrong type",
        "an integer",
    ),
    "class": (
        sweep(space={"model.init_args.network": {"choices": {"a": {"class_path": f"{FAKES}.TinyUNe"}}}}),
        "space.model.init_args.network = 'a': model.init_args.network.class_path: no such class",
        "TinyUNet",
    ),
    "fixed": (sweep(fixed={"model.init_args.los": 1}), "experiment: model.init_args.los: unknown key", "'loss'"),
}


@pytest.mark.parametrize("fault", REFUSED)
def test_a_space_that_the_experiment_refuses(tmp_path, monkeypatch, fault):
    monkeypatch.chdir(tmp_path)
    plain, expected, near = REFUSED[fault]
    file, _ = asked(tmp_path, experiment(), plain)
    with pytest.raises(ConfigError) as raised:
        check(file)
    assert str(raised.value).startswith(expected)
    assert near in str(raised.value)


def test_a_metric_that_the_task_never_logs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    file, answer = asked(tmp_path, experiment(), sweep(objective="val/dcie"))
    with pytest.raises(ConfigError, match=r"^val/dcie: no such metric, expected one of .*Did you mean 'val/dice'"):
        check(file)
    assert not answer.exists()


def test_a_fault_of_the_space_ends_the_command_before_any_trial(tmp_path):
    prepare(tmp_path, experiment(), REFUSED["unknown key"][0])
    output = run_sweep(tmp_path, "--config", "search.yaml", status=2)
    assert f"error: space.{LR}x = 0.1" in output
    assert not list((tmp_path / "runs" / "search").glob("trial-*"))
    assert not (tmp_path / "mlflow.db").exists()


FAULTS = {
    "no experiment": (sweep(experiment="none.yaml"), [], "experiment: no such file"),
    "storage": (
        sweep(storage="postgresql://a:b@127.0.0.1:9/c"),
        [],
        "postgresql://127.0.0.1/c: the study cannot be kept",
    ),
    "name": (sweep(), ["--name", "a/b"], "experiment: unusable name"),
    "devices": (sweep(), ["--devices", "x"], "--devices: no list of GPUs"),
    "too many": (sweep(), ["--devices", "97", "--devices-per-trial", "2"], "--devices: no such device"),
    "of which": (sweep(), ["--devices-per-trial", "2"], "--devices-per-trial: of which?"),
    "workers": (sweep(), ["--workers", "0"], "--workers: nobody works"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_of_the_command(tmp_path, monkeypatch, fault):
    monkeypatch.chdir(tmp_path)
    plain, arguments, expected = FAULTS[fault]
    config = prepare(tmp_path, experiment(), plain)
    with pytest.raises(Exception, match="^" + expected.replace("?", r"\?")):
        command.main(["--config", config.name, *arguments])


def test_more_devices_a_trial_than_there_are():
    with pytest.raises(ConfigError, match="--devices"):
        DevicePool(None, [], 2)


def test_the_parent_imports_no_torch(tmp_path):
    """Its whole way to the check of the space, which a child makes."""
    write(tmp_path, "search.yaml", sweep())
    code = (
        "import sys, lit_medseg.commands.sweep, lit_medseg.sweep.results, lit_medseg.sweep.loop\n"
        "import lit_medseg.commands.sweep_status\n"
        "print([name for name in ('torch', 'lightning', 'mlflow', 'pandas', 'scipy') if name in sys.modules])"
    )
    found = subprocess.run([sys.executable, "-c", code], env=environment(), capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"


def test_shipped_sweeps_are_read():
    from tests.commands.rank_commands import ROOT

    files = sorted((ROOT / "sweeps").glob("*.yaml"))
    assert [file.stem for file in files] == ["cardiac", "hippocampus", "nuclei", "pneumonia"]
    for file in files:
        assert all(path.is_file() for path in read_plan(file).experiments)
        assert read_plan(file, preset="small").budget.trials is not None
