"""Every YAML in experiments/ is parsed, and runs one batch of each verb on its own data."""

import re
from pathlib import Path

import pytest
import yaml

from lit_medseg.commands.experiment_cli import ExperimentCLI
from lit_medseg.main import main

ROOT = Path(__file__).parents[1]
EXPERIMENTS = sorted((ROOT / "experiments").glob("*.yaml"))
TRAINERS = sorted((ROOT / "experiments" / "trainers").glob("*.yaml"))
PHANTOMS = ("quickstart", "volumes_quickstart")
ON_ITS_DATA = [
    pytest.param(path, id=path.stem, marks=[] if path.stem in PHANTOMS else pytest.mark.realdata)
    for path in EXPERIMENTS
]
SMALL = ["--trainer.accelerator", "cpu", "--trainer.fast_dev_run", "true", "--data.init_args.loading.workers", "0"]
SMALL += ["--data.init_args.loading.batch_size", "2", "--data.init_args.loading.eval_batch_size", "2"]


def stem(path):
    return path.stem


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_there_are_experiments():
    assert {path.stem for path in EXPERIMENTS} >= {"quickstart", "nuclei", "cardiac", "dermoscopy", "pneumonia"}
    assert {path.stem for path in TRAINERS} == {"cpu", "gpu", "ddp", "nodes", "fsdp"}


@pytest.mark.parametrize("path", EXPERIMENTS, ids=stem)
def test_starts_with_its_command_and_is_short(path):
    lines = path.read_text().splitlines()
    assert len(lines) <= 60
    command = f"python -m lit_medseg fit --config experiments/{path.name}"
    data = "" if path.stem in PHANTOMS else "LIT_MEDSEG_DATA=... "
    assert re.match(rf"# {re.escape(data + command)}(\s|$)", lines[0])
    assert lines[1].startswith("# ")


@pytest.mark.parametrize("path", EXPERIMENTS, ids=stem)
def test_is_parsed(path, folder):
    cli = ExperimentCLI(["fit", "--config", str(path)])
    assert cli.experiment == path.stem
    written = yaml.safe_load(path.read_text())
    assert cli.given["model"]["class_path"] == written["model"]["class_path"]
    assert cli.resolved()["seed_everything"] == written["seed_everything"]
    assert not any(folder.iterdir())


@pytest.mark.parametrize("path", TRAINERS, ids=stem)
def test_trainers_fit_every_experiment(path):
    command = f"--trainer experiments/trainers/{path.name}"
    assert path.read_text().startswith(f"# {command}")
    cli = ExperimentCLI(["fit", "--config", str(EXPERIMENTS[0]), "--trainer", str(path)])
    for key, value in yaml.safe_load(path.read_text()).items():
        found = cli.resolved()["trainer"][key]
        assert (found["class_path"] if isinstance(found, dict) else found) == (
            value["class_path"] if isinstance(value, dict) else value
        )
    # what the experiment itself says about training stays
    assert cli.settings.trainer.max_epochs == yaml.safe_load(EXPERIMENTS[0].read_text())["trainer"]["max_epochs"]


@pytest.mark.parametrize("path", ON_ITS_DATA)
def test_is_fitted_tested_and_predicted(path, folder):
    for verb in ("fit", "test", "predict"):
        assert main([verb, "--config", str(path), *SMALL]) == 0, verb
    assert not (folder / "runs").exists()
    assert not (folder / "mlflow.db").exists()
    written = [file for file in (folder / "predictions").rglob("*") if file.is_file()]
    segments = "masks" in yaml.safe_load(path.read_text())["data"]["init_args"]["truth"]
    tables = {file.name for file in written if file.suffix == ".csv"}
    assert tables == ({"measurements.csv"} if segments else {"predictions.csv"})
    masks = [file for file in written if file.suffix != ".csv"]
    assert (
        len({file.suffix for file in masks} & {".png", ".gz"}) == len({file.suffix for file in masks}) == int(segments)
    )
    assert len(masks) in ((1, 2) if segments else (0,))  # a batch of two, or of one volume of its own size
