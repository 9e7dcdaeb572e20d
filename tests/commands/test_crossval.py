"""`crossval`: a real one that is interrupted twice, and what it refuses before anything starts."""

import json
import os
import signal
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
import torch
import yaml
from sklearn.metrics import roc_auc_score

from lit_medseg.catalogue.build_manifest import build_manifest
from lit_medseg.catalogue.folds import deal_folds
from lit_medseg.catalogue.manifest import Manifest
from lit_medseg.catalogue.split import Split
from lit_medseg.cluster.read_checkpoint import read_checkpoint
from lit_medseg.commands.crossval_folder import open_folder
from lit_medseg.commands.crossval_settings import read_settings
from lit_medseg.commands.data_settings import read_data_settings
from lit_medseg.crossval.check_folds import FoldData
from lit_medseg.crossval.plan import CrossvalPlan
from lit_medseg.errors import ConfigError
from lit_medseg.main import main
from lit_medseg.metrics.case_table import case_table, read_case_table, write_case_table
from lit_medseg.tracking.checkpoint_card import read_card
from lit_medseg.tracking.run_folder import create_run_folder
from tests.commands.rank_commands import ROOT, Command, query, until, write_labels
from tests.commands.workplace import Run, Workplace
from tests.crossval.spotted import settings, write_experiment, write_pictures

ARGUMENTS = ("--config", "spotted.yaml", "--folds", "3", "--workers", "2", "--name", "cv", "--ensemble", "true")
SPLIT_FILE = {
    "class_path": "lit_medseg.catalogue.split_file.SplitFile",
    "init_args": {"path": "none.json", "seed": 7},
}
CHOOSE = ("--choose_post_processing", "true", "--overlay_every", "4")


class Crossval:
    """A cross-validation in a folder, called again and again."""

    def __init__(self, folder):
        self.folder = folder
        self.calls = []

    def start(self):
        command = Command(self.folder, "crossval", *ARGUMENTS, *CHOOSE)
        self.calls.append(command)
        return command

    def run(self, name="cv"):
        return Run(self.folder / "runs" / "spotted" / name, f"sqlite:///{self.folder / 'mlflow.db'}")

    def fold(self, number):
        return self.run(f"cv-fold{number}")

    def state(self, name="cv"):
        file = self.folder / "runs" / "spotted" / name / "state.json"
        return json.loads(file.read_text()) if file.is_file() else {"status": "NONE"}

    def trains(self, number):
        """Whether a step of a fold was recorded."""
        records = self.folder / f"runs/spotted/cv-fold{number}/records.jsonl"
        return records.is_file() and "train/loss" in records.read_text()


@pytest.fixture(scope="module")
def crossval(tmp_path_factory):
    """Told to stop in the first training, killed when a fold is done, and then left alone."""
    work = Crossval(tmp_path_factory.mktemp("crossval"))
    write_pictures(work.folder / "pictures")
    plain = settings(step_s=0.5)
    plain["data"]["init_args"]["splitter"] = SPLIT_FILE
    (work.folder / "spotted.yaml").write_text(yaml.safe_dump(plain))
    first = work.start()
    until(lambda: work.trains(0), 240, lambda: first.text)
    first.process.send_signal(signal.SIGTERM)
    work.told = first.wait(120), work.state(), work.state("cv-fold0"), first.text
    second = work.start()
    until((work.folder / "runs/spotted/cv/folds/fold0.csv").is_file, 240, lambda: second.text)
    second.process.kill()
    until(lambda: not second.living(), 120, lambda: f"orphans: {second.living()}")
    work.killed = {number: work.state(f"cv-fold{number}") for number in range(3)}
    work.parent_killed = work.state()
    third = work.start()
    assert third.wait() == 0, third.text
    yield work
    for call in work.calls:
        call.end()


@pytest.mark.slow
class TestInterrupted:
    def test_told_to_stop(self, crossval):
        status, state, fold, text = crossval.told
        assert "(in place of the YAML's SplitFile)" in text
        assert status == 143, text
        assert (state["status"], state["reason"]) == ("KILLED", "told to stop (SIGTERM)")
        assert fold["status"] == "KILLED"
        assert "the same command goes on" in text

    def test_children_of_a_killed_parent_stop_with_a_checkpoint(self, crossval):
        assert crossval.parent_killed["status"] in ("RUNNING", "KILLED")  # a fold that just began may mark it
        assert crossval.killed[0]["status"] == "FINISHED"
        others = [state for number, state in crossval.killed.items() if number and state["status"] != "NONE"]
        assert {state["status"] for state in others} <= {"KILLED", "FINISHED"}

    def test_what_is_done_is_not_done_again(self, crossval):
        assert crossval.state("cv-fold0") == crossval.killed[0]
        text = crossval.calls[-1].text
        assert "goes on" in text
        assert "fold 0: fit" not in text
        [log] = crossval.folder.glob("runs/spotted/cv/folds/fold0.log")
        assert log.read_text().count("] fit --config") == 2

    def test_one_run_each_below_one_parent(self, crossval):
        runs = query(crossval.folder, "select run_uuid, name, status from runs order by name")
        assert [(name, status) for _, name, status in runs] == [
            ("cv", "FINISHED"), ("cv-fold0", "FINISHED"), ("cv-fold1", "FINISHED"), ("cv-fold2", "FINISHED"),
        ]  # fmt: skip
        for number in range(3):
            tags = crossval.fold(number).mlflow.data.tags
            assert tags["mlflow.parentRunId"] == runs[0][0]
            assert (tags["fold"], tags["crossval"]) == (str(number), "cv")
        assert crossval.run().mlflow.data.tags["end_reason"] == ""

    def test_the_same_command_on_a_finished_one_only_prints(self, crossval):
        before = crossval.state()
        again = crossval.start()
        assert again.wait() == 0
        assert "cv is finished" in again.text
        assert "mean of folds" in again.text
        assert "started" not in again.text
        assert crossval.state() == before

    def test_an_interrupted_fold_has_the_weights_of_an_undisturbed_one(self, crossval, tmp_path):
        alone = Workplace(tmp_path)
        (tmp_path / "pictures").symlink_to(crossval.folder / "pictures")
        plain = settings(step_s=0.0)
        arguments = {"folds": 3, "fold": 0, "seed": 7}
        plain["data"]["init_args"]["splitter"] = {
            "class_path": "lit_medseg.catalogue.folds.Folds",
            "init_args": arguments,
        }
        weights = alone.fit("alone", plain).weights("best")
        torch.testing.assert_close(crossval.fold(0).weights("best"), weights, rtol=0, atol=0)


@pytest.mark.slow
class TestResults:
    def test_every_case_is_predicted_by_the_fold_that_never_saw_it(self, crossval):
        oof = read_case_table(crossval.run().path / "cases/oof.csv")
        assert oof["case_id"].to_list() == [f"p{number:02}" for number in range(9)]
        manifest = Manifest.from_json(crossval.fold(0).path / "manifest.json")
        dealt = deal_folds(manifest.entries, None, 3, (7,))  # the seed of the YAML's splitter
        for number in range(3):
            assert tuple(oof[oof["fold"] == number]["case_id"]) == dealt[number]
            own = read_case_table(crossval.fold(number).path / "cases/test.csv")
            pd.testing.assert_frame_equal(own, oof[oof["fold"] == number].drop(columns="fold").reset_index(drop=True))

    def test_scores_are_those_of_the_table(self, crossval):
        run = crossval.run()
        oof = read_case_table(run.path / "cases/oof.csv")
        folds = oof.groupby("fold")["dice"].mean()
        metrics = run.mlflow.data.metrics
        assert metrics["cv/dice"] == pytest.approx(oof["dice"].mean(), abs=1e-12)
        assert metrics["cv/dice/ci_low"] <= metrics["cv/dice"] <= metrics["cv/dice/ci_high"]
        assert metrics["cv/dice/fold_mean"] == pytest.approx(folds.mean(), abs=1e-12)
        assert metrics["cv/dice/fold_std"] == pytest.approx(folds.std(ddof=1), abs=1e-12)
        assert run.history("fold/dice") == pytest.approx(folds.to_list(), abs=1e-12)
        assert len(run.history("cv/dice")) == 1
        assert "| dice |" in run.mlflow.data.tags["mlflow.note.content"]
        assert {"cases/oof.csv", "folds.csv", "scores.json", "crossval.json"} <= set(run.artifacts())

    def test_post_processing_is_chosen_on_the_other_folds(self, crossval):
        for number in range(3):
            raw = read_case_table(crossval.run().path / f"folds/fold{number}.csv")
            kept = read_case_table(crossval.run().path / f"folds/fold{number}-post-processed.csv")
            assert kept["dice"].mean() > raw["dice"].mean() + 0.01
            chosen = read_card(crossval.fold(number).path / "checkpoints/best.ckpt")["post_processing"]
            assert chosen["cases"] == 6
            assert [step["class_path"].rpartition(".")[2] for step in chosen["steps"]] == ["LargestComponent"]
        assert not [*crossval.run().path.glob("folds/*-masks")]

    def test_the_ensemble_holds_all_folds_and_what_all_of_them_choose(self, crossval):
        path = crossval.run().path / "checkpoints/ensemble.ckpt"
        card = read_card(path)
        assert card["post_processing"]["cases"] == 9
        weights = read_checkpoint(path)["state_dict"]
        for number in range(3):
            own = crossval.fold(number).weights("best")["network.threshold"]
            assert any(torch.equal(own, value) for key, value in weights.items() if key.endswith("threshold"))
        assert f"predict --ckpt_path {path.relative_to(crossval.folder)}" in crossval.calls[2].text

    def test_another_configuration_under_the_same_name(self, crossval):
        other = Command(crossval.folder, "crossval", *ARGUMENTS, *CHOOSE, "--trainer.max_epochs", 9)
        assert other.wait() == 2
        wanted = "error: --name cv: it is a cross-validation of something else, expected the same configuration, got "
        assert (
            other.text
            == f"{wanted}arguments.trainer.max_epochs not set before, 9 now. Undo that, or choose another --name.\n"
        )


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    write_pictures(tmp_path / "pictures", patients=6)
    write_experiment(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["--folds", "7"], "error: split: too few patients, expected 7 at least, got 6"),
        (["--folds", "1"], "error: --folds: no cross-validation, expected 2 or more, got 1"),
        (["--folds", "two"], "error: command line: argument --folds: invalid int value: 'two', expected"),
        (["--folds", "3", "--nested", "5"], "error: split: too few patients, expected 5 at least, got 4"),
        (["--folds", "3", "--workers", "0"], "error: --workers: nobody works"),
        (["--folds", "3", "--devices", "0,97"], "error: --devices: no such device"),
        (["--folds", "3", "--devices", "one"], "error: --devices: no list of GPUs, expected 0,1,2 or all, got 'one'"),
        (["--stratify", "site"], "error: case p00: no column site"),
        (["--folds", "3", "--run", "mine"], "error: --run: each fold has its own"),
        (
            ["--folds", "3", "--data.init_args.splitter.init_args.val", "0.3"],
            "error: --data.init_args.splitter.init_args",
        ),
        (["--ensemble", "perhaps"], "error: command line: argument --ensemble: expected true or false, got 'perhaps'"),
        (["--folds", "3", "--name", "a b"], "error: --name: unusable name"),
        (["--config", "none.yaml"], "error: --config: no such file"),
        (["spotted.yaml"], "error: command line: an argument without a key"),
        (["--val", "1.5"], "error: --val: no share of the cases"),
    ],
)
def test_bad_input_is_refused_before_a_fold_starts(here, capsys, arguments, text):
    assert main(["crossval", "--config", "spotted.yaml", *arguments]) == 2
    written = capsys.readouterr()
    assert written.err.startswith(text), written.err
    assert not (here / "runs").exists()


def test_post_processing_that_the_yaml_has_already(here, capsys):
    plain = settings()
    step = {"class_path": "lit_medseg.inference.post_process.fill_holes.FillHoles"}
    plain["model"]["init_args"]["evaluating"] = {"post_processing": [step]}
    (here / "own.yaml").write_text(yaml.safe_dump(plain))
    assert main(["crossval", "--config", "own.yaml", "--choose_post_processing", "true"]) == 2
    assert "the YAML has post-processing of its own" in capsys.readouterr().err


def test_nested_folds_of_a_classification(here, capsys):
    """All folds are done already (their tables are there): what is left to do is to put them together."""
    write_labels(here / "labels", cases=24)
    plain = settings()
    own = plain["data"]["init_args"]
    own["source"] = {
        "class_path": "lit_medseg.catalogue.class_folders.ClassFolders",
        "init_args": {"root": "labels", "patient_pattern": "(q[0-9]+)"},
    }
    own["truth"], own["splitter"] = {"labels": ["dark", "bright"]}, None
    (here / "labels.yaml").write_text(yaml.safe_dump(plain))
    data = read_data_settings(["labels.yaml"], [])
    manifest = build_manifest(data.source, data.classes, None, "required")
    folder = create_run_folder(here / "runs", "labels", "made by submit", "cv")
    folder.end("SCHEDULED")
    rng = np.random.default_rng(1)
    for fold in CrossvalPlan(folds=2, nested=3).list_folds():
        rows = []
        for case_id in fold.splitter.split(manifest, data.classes).test:
            label, chance = manifest.by_id[case_id].label, float(rng.random())
            names = {"label": ("dark", "bright")[label], "prediction": ("dark", "bright")[chance > 0.5]}
            rows.append({"case_id": case_id, "patient_id": case_id, **names, "p_dark": 1 - chance, "p_bright": chance})
        write_case_table(case_table(rows), folder.path / "folds" / f"{fold.name}.csv")
    arguments = ["--config", "labels.yaml", "--folds", "2", "--nested", "3", "--name", "cv"]
    assert main(["crossval", *arguments]) == 0
    oof, inner = (read_case_table(folder.path / "cases" / name) for name in ("oof.csv", "inner.csv"))
    assert len(oof) == 24
    assert sorted(inner["case_id"]) == sorted(oof["case_id"])  # two folds: each case is outside of one test part
    run = Run(folder.path, f"sqlite:///{here / 'mlflow.db'}")
    assert run.status == "FINISHED"
    metrics = run.mlflow.data.metrics
    positive = oof["label"] == "bright"
    assert metrics["cv/auroc"] == pytest.approx(roc_auc_score(positive, oof["p_bright"]), abs=1e-12)
    parts = [oof[oof["fold"] == number] for number in range(2)]
    own_scores = [roc_auc_score(part["label"] == "bright", part["p_bright"]) for part in parts]
    assert run.history("fold/auroc") == pytest.approx(own_scores, abs=1e-12)
    assert metrics["cv/auroc/fold_mean"] == pytest.approx(np.mean(own_scores), abs=1e-12)
    parts = [inner[inner["fold"] == number] for number in range(2)]
    wanted = [roc_auc_score(part["label"] == "bright", part["p_bright"]) for part in parts]
    assert run.history("inner/auroc") == pytest.approx(wanted, abs=1e-12)
    for number, part in enumerate(parts):
        assert not set(part["case_id"]) & set(oof[oof["fold"] == number]["case_id"])
    assert "auroc of its inner folds" in capsys.readouterr().out


def test_post_processing_for_labels(here, capsys):
    plain = settings()
    plain["data"]["init_args"]["truth"] = {"labels": ["dark", "bright"]}
    (here / "labels.yaml").write_text(yaml.safe_dump(plain))
    assert main(["crossval", "--config", "labels.yaml", "--choose_post_processing", "true"]) == 2
    assert "--choose_post_processing: not a segmentation, expected truth.masks" in capsys.readouterr().err


def test_a_table_of_other_cases_is_refused(here, capsys):
    folder = create_run_folder(here / "runs", "spotted", "made by submit", "cv")
    folder.end("SCHEDULED")
    for number in range(3):
        write_case_table(case_table([{"case_id": "p00", "patient_id": "p00"}]), folder.path / f"folds/fold{number}.csv")
    assert main(["crossval", "--config", "spotted.yaml", "--folds", "3", "--name", "cv"]) == 2
    assert "the table has other cases than the fold tests" in capsys.readouterr().err
    assert folder.read().status == "FAILED"


def test_a_name_that_another_run_has(here, capsys):
    folder = here / "runs/spotted/cv"
    folder.mkdir(parents=True)
    state = {"status": "FINISHED", "config_hash": "x", "started": 0.0}
    owner = {"host": "h", "pid": 1, "mark": "m"}
    (folder / "state.json").write_text(json.dumps({**state, "owner": owner}))
    assert main(["crossval", "--config", "spotted.yaml", "--folds", "3", "--name", "cv"]) == 2
    assert "--name: the name is taken by another run" in capsys.readouterr().err


def test_a_folder_of_a_command_that_was_killed_at_its_start_is_taken_up(here):
    asked = read_settings(
        ["--config", "spotted.yaml", "--folds", "2", "--name", "cv", "--runs_dir", str(here / "runs")]
    )
    folds = [FoldData(fold, Split((), (), (), "rule"), "data") for fold in asked.plan.list_folds()]
    made = create_run_folder(asked.runs_dir, asked.experiment, asked.hash_with("data"), "cv")
    assert open_folder(asked, "data", folds) == (made, False)
    (made.path / "crossval.json").unlink()
    with pytest.raises(ConfigError, match="the name is taken by another run"):
        open_folder(asked, "other data", folds)
    made.set_run_id("a run that has begun")
    with pytest.raises(ConfigError, match="the name is taken by another run"):
        open_folder(asked, "data", folds)


@pytest.mark.slow
def test_a_fault_of_the_experiment_is_said_once(here):
    wrong = Command(here, "crossval", "--config", "spotted.yaml", "--folds", "3", "--trainer.max_epoch", 2)
    assert wrong.wait() == 2
    assert "max_epoch" in wrong.text
    assert "fold 1: fit" not in wrong.text
    assert wrong.text.count("error:") == 1


def test_the_parent_imports_no_torch(here):
    """Asked once all cases are read and split; the test on a whole one is the time that it takes."""
    code = """
import sys
from lit_medseg.main import main
assert main(["crossval", "--config", "spotted.yaml", "--folds", "7"]) == 2
import lit_medseg.commands.crossval_results
print([name for name in ("torch", "lightning", "monai") if name in sys.modules])
"""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    ended = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert ended.stdout == "[]\n"
