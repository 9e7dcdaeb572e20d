"""`sweep` as a user calls it: real trials, real faults, and what is left of them."""

import re
import subprocess
import sys

import pytest
import yaml

from lit_medseg.commands.sweep import main
from lit_medseg.errors import ConfigError
from lit_medseg.sweep.history import History
from lit_medseg.sweep.read_plan import read_plan
from tests.sweep.sweep_runs import (
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
SPACE = {**sweep()["space"], FAULT: {"values": ["", "kill", "refused", "nan", "memory"]}}
SWEEP = "runs/search/sweep"
GOOD = {LR: 0.03, NORM: False, FAULT: ""}


@pytest.fixture(scope="module")
def searched(tmp_path_factory):
    """Five trials on two workers, four of which cannot be trained."""
    folder = tmp_path_factory.mktemp("searched")
    enqueue = [GOOD, *({**GOOD, FAULT: fault} for fault in ("kill", "refused", "nan", "memory"))]
    config = prepare(folder, experiment(), sweep(5, space=SPACE, enqueue=enqueue))
    output = run_sweep(folder, "--config", config.name, "--workers", 2)
    return folder, output


@pytest.mark.slow
def test_what_cannot_be_trained_is_failed_with_its_reason_and_stops_nothing(searched):
    folder, output = searched
    trials = study_of(folder, "search").get_trials()
    assert [trial.state.name for trial in trials] == ["COMPLETE", *["FAIL"] * 4]
    reasons = [trial.user_attrs["reason"] for trial in trials]
    assert reasons[1] == "killed 4 times, the last time: ended by signal 9"
    assert "made to refuse to be built without a norm" in reasons[2]
    assert reasons[3] == "diverged: train/loss is no finite number"
    assert reasons[4].startswith("out of memory")
    assert all(reason[:100] in output for reason in reasons)
    attempts = [trial.glob("attempt-*.json") for trial in sorted((folder / SWEEP / "trials").iterdir())]
    assert [len(list(files)) for files in attempts] == [1, 4, 1, 1, 1]  # nothing but the killed one was tried again


@pytest.mark.slow
def test_mlflow_has_the_sweep_and_a_run_below_it_for_each_trial(searched):
    folder, _ = searched
    runs = {name: (status, tags) for name, status, tags in mlflow_runs(folder, "search")}
    assert sorted(runs) == ["search", *(f"trial-{number:04}" for number in range(5))]
    assert runs["search"][0] == "FINISHED"
    assert runs["trial-0000"][0] == "FINISHED"
    assert [runs[f"trial-{number:04}"][1]["trial_state"] for number in range(5)] == ["COMPLETE", *["FAILED"] * 4]
    parents = {runs[f"trial-{number:04}"][1]["mlflow.parentRunId"] for number in range(5)}
    assert len(parents) == 1
    (parent,) = parents
    artifacts = {path.name for path in (folder / "mlartifacts" / "search" / parent / "artifacts").iterdir()}
    assert {"best.yaml", "trials.csv", "report.txt", "plan.json", "plots.html"} <= artifacts
    assert "optimization_history.png" in artifacts
    assert runs["search"][1]["best_trial"] == "0"
    assert "val/dice" in runs["search"][1]["mlflow.note.content"]


@pytest.mark.slow
def test_nothing_is_run_again_and_status_shows_it(searched, monkeypatch, capsys):
    folder, _ = searched
    monkeypatch.chdir(folder)
    before = (folder / "runs" / "search" / "trial-0000" / "records.jsonl").read_bytes()
    with pytest.raises(ConfigError, match=r"^sweep search: it was begun before"):
        main(["--config", "search.yaml"])
    again = run_sweep(folder, "--config", "search.yaml", "--resume")
    assert "trial 0 " not in again.replace("trial 0:", "")
    assert (folder / "runs" / "search" / "trial-0000" / "records.jsonl").read_bytes() == before
    capsys.readouterr()
    assert main(["status", "search"]) == 0
    shown = capsys.readouterr().out
    assert "5 of 5 trials: 1 complete, 4 failed" in shown
    assert "best        trial 0: val/dice" in shown
    with pytest.raises(ConfigError, match=r"no such sweep, expected one of \['search'\]"):
        main(["status", "serach"])


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
    config = prepare(tmp_path, base, sweep(2, objective=objective, constraints={"cost/parameters": 990}, **network))
    output = run_sweep(tmp_path, "--config", config.name)
    first, second = study_of(tmp_path, "search").get_trials()
    runs = tmp_path / "runs" / "search"
    dice = [max(recorded(runs / f"trial-0000-r{repeat}", "val/dice")) for repeat in (0, 1)]
    assert first.values[0] == pytest.approx(sum(dice) / 2)
    assert dice[0] != dice[1]
    assert first.values[1] > 0
    seeds = [yaml.safe_load((runs / f"trial-0000-r{n}" / "config.yaml").read_text())["seed_everything"] for n in (0, 1)]
    assert seeds == [3, 4]
    assert recorded(runs / "trial-0000-r0", "cost/parameters") == [987]
    assert recorded(runs / "trial-0001-r0", "cost/parameters") == [999]
    assert (second.state.name, second.values) == ("PRUNED", None)
    assert second.user_attrs["reason"] == "constraint: cost/parameters 999 is more than 990"
    assert second.system_attrs["constraints:cost/parameters"] == 9
    assert not (runs / "trial-0001-r1").exists()
    history = History(runs / "trial-0000-r0")
    history.update()
    assert [*history.values["cost/seconds_per_image"]] == [2]  # the epoch it was measured after
    best = (runs / "sweep" / "best.yaml").read_text()
    assert f"It gave val/dice {dice[0]!r}, cost/seconds_per_image" in best
    assert re.search(r"# Made on \w+: ranks 1; device cpu; threads \d+; torch ", best)
    assert "front       1 trial that" in output
    assert "pruned      1 of 2, 1 of them for a constraint" in output


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
