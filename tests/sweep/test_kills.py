"""A search that is killed again and again ends as the undisturbed one does."""

import json
import os
from collections import Counter

import pytest

from tests.commands.rank_commands import Command
from tests.sweep.sweep_runs import (
    FAKES,
    LR,
    NORM,
    experiment,
    mlflow_runs,
    prepare,
    recorded,
    repeated_metrics,
    run_sweep,
    run_with_kills,
    settled,
    study_of,
    sweep,
)
from tests.tracking.mlflow_server import Postgres

KINDS = {
    "journal": ("parent", "rank", "worker", "all"),
    "postgresql": ("database", "all", "worker", "parent", "rank"),
}
KILLS = int(os.environ.get("KILLS", "3"))
"""`make test-kill` asks for twenty."""
PRUNER = {"class_path": "optuna.pruners.MedianPruner", "init_args": {"n_startup_trials": 2, "n_warmup_steps": 1}}
pytestmark = [pytest.mark.slow, pytest.mark.timeout(3600)]
TRIALS = 3 if KILLS <= 3 else 5


def prepared(folder, **keys):
    base = experiment(epochs=3, ranks=2, step_s=0.2)
    base["trainer"]["callbacks"] = [{"class_path": f"{FAKES}.SettingsOfRank", "init_args": {"folder": "ranks"}}]
    return prepare(folder, base, sweep(TRIALS, pruner=PRUNER, **keys)).name


def kinds_of(kinds, kills):
    return [kinds[number % len(kinds)] for number in range(kills)]


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    folder = tmp_path_factory.mktemp("undisturbed")
    run_sweep(folder, "--config", prepared(folder))
    return folder


@pytest.fixture(scope="module")
def database():
    server = Postgres()
    try:
        server.start()
        yield server
    finally:
        server.end()


def test_all_ranks_of_a_trial_have_its_parameters_and_a_pruned_one_stops_on_all(undisturbed):
    trials = study_of(undisturbed, "search").get_trials()
    assert "PRUNED" in {trial.state.name for trial in trials}
    for trial in trials:
        name = f"trial-{trial.number:04}"
        first, second = (_lines(undisturbed / "ranks" / f"{name}-rank{rank}.jsonl") for rank in (0, 1))
        assert first[0]["lr"] == second[0]["lr"] == trial.params[LR]
        assert first[0]["norm"] == second[0]["norm"] == trial.params[NORM]
        assert [line.get("weights") for line in first] == [line.get("weights") for line in second]
        assert first[0]["pid"] != second[0]["pid"]


def test_two_workers_lose_and_double_nothing_and_the_winner_alone_gives_its_value(tmp_path):
    config = prepare(tmp_path, experiment(epochs=3, step_s=0.2), sweep(TRIALS - 1)).name
    kinds = kinds_of(("parent", "worker", "all"), max(1, KILLS // 2))
    assert run_with_kills(tmp_path, config, kinds, 7, workers=2) == Counter(kinds)
    study = study_of(tmp_path, "search")
    assert [trial.state.name for trial in study.get_trials()] == ["COMPLETE"] * (TRIALS - 1)
    runs = mlflow_runs(tmp_path, "search")
    assert sorted(name for name, _, _ in runs) == ["search", *(f"trial-{number:04}" for number in range(TRIALS - 1))]
    assert {status for _, status, _ in runs} == {"FINISHED"}
    assert repeated_metrics(tmp_path) == []
    folder = tmp_path / "runs" / "search" / "sweep"
    settings = {folder / "best.yaml": study.best_value}
    if KILLS > 3:
        settings |= {folder / f"trials/{one.number:04}/experiment.yaml": one.value for one in study.get_trials()}
    for number, (file, value) in enumerate(settings.items()):
        fit = Command(tmp_path, "fit", "--config", file, "--experiment", "again", "--run", f"alone-{number}")
        assert fit.wait() == 0, fit.text
        assert max(recorded(tmp_path / "runs" / "again" / f"alone-{number}", "val/dice")) == value


def _lines(file):
    return [json.loads(line) for line in file.read_text().splitlines()]


@pytest.mark.parametrize("storage", KINDS)
def test_a_killed_search_ends_as_the_undisturbed_one(tmp_path, undisturbed, database, storage):
    address = database.create("kills") if storage == "postgresql" else None
    kinds = kinds_of(KINDS[storage], KILLS)
    assert run_with_kills(tmp_path, prepared(tmp_path, storage=address), kinds, 1 + KILLS, database) == Counter(kinds)
    assert settled(study_of(tmp_path, "search", address)) == settled(study_of(undisturbed, "search"))
    runs = mlflow_runs(tmp_path, "search")
    assert sorted(name for name, _, _ in runs) == ["search", *(f"trial-{number:04}" for number in range(TRIALS))]
    assert {name: status for name, status, _ in runs}["search"] == "FINISHED"
    assert all(tags["trial_state"] in ("COMPLETE", "PRUNED") for name, _, tags in runs if name != "search")
    assert repeated_metrics(tmp_path) == []
