"""Which run a `fit` goes on with, and what it refuses."""

import logging
import re
from pathlib import Path

import numpy as np
import pytest
import torch
from lightning.pytorch import Callback

from lit_medseg.imaging.write_png import write_png
from lit_medseg.main import main
from lit_medseg.tracking.note import NOTE_TAG
from tests.commands.test_exact_resume import ends, same
from tests.commands.tiny_experiments import segmentation

FAST = ("--checkpoint_minutes", "0", "--keep_checkpoints", "3")
LONG = {"loading": {"batch_size": 2, "eval_batch_size": 3, "workers": 0}}


STORE = "sqlite:///mlflow.db"


def plan(**changes):
    return {**segmentation(data=LONG, trainer={"max_epochs": 3}), **changes}


def broken_off(workplace, name, settings=None, *arguments):
    """A run that has failed in its second epoch."""
    settings = plan() if settings is None else settings
    cut = {**settings, "trainer": {**settings["trainer"], "callbacks": [ends("batch end", 6)]}}
    with pytest.raises(ArithmeticError):
        workplace.call("fit", "--config", workplace.write(name, cut), *FAST, *arguments)
    workplace.write(name, settings)
    return workplace.runs(name)[-1]


UNREAD = ("--data.init_args.source.init_args.root", "nowhere")
"""Data that are not there: what is refused with them is refused before they are read."""


def refused(workplace, capsys, *argv):
    """The one line that a user's fault gives."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(workplace.folder)
        capsys.readouterr()
        assert main(list(argv)) == 2
    lines = capsys.readouterr().err.strip().splitlines()
    return lines[-1]


def test_the_same_yaml_goes_on_and_then_begins_the_next_run(workplace, capsys):
    first = broken_off(workplace, "goes_on")
    assert f"run goes_on/{first.path.name} begins." in capsys.readouterr().err.splitlines()
    workplace.call("fit", "--config", "goes_on.yaml", *FAST)
    said = capsys.readouterr().err.splitlines()
    (again,) = workplace.runs("goes_on")
    start = next(number for number, line in enumerate(said) if line.startswith("run goes_on/"))
    assert re.fullmatch(rf"run goes_on/{first.path.name} goes on from step-\d+ \(attempt 2; .*", said[start])
    assert (
        said[start + 1].strip() == f"runs/goes_on/{first.path.name}; MLflow run {again.mlflow.info.run_id} in {STORE}"
    )
    assert "val, " in said[start + 2]
    assert said[start + 2].endswith("one process on cpu; batch size 2, precision 32-true")
    lines = [line for line in said[start + 3 :] if line.startswith("epoch ")]
    assert re.match(r"epoch 3/3  step 12  train/loss [\d.]+  val/loss [\d.]+  val/dice [\d.]+ \(best", lines[-1])
    assert again.status == "FINISHED"
    assert again.mlflow.data.tags["end_reason"] == again.mlflow.data.tags["failure"] == ""
    assert "**Failed**" not in again.mlflow.data.tags[NOTE_TAG]
    before = {file.name: file.stat().st_mtime_ns for file in first.path.rglob("*")}
    workplace.call("fit", "--config", "goes_on.yaml", *FAST)
    assert [run.status for run in workplace.runs("goes_on")] == ["FINISHED", "FINISHED"]
    assert {file.name: file.stat().st_mtime_ns for file in first.path.rglob("*")} == before


def test_never_starts_a_new_run(workplace):
    first = broken_off(workplace, "never")
    workplace.call("fit", "--config", "never.yaml", "--resume", "never", *FAST)
    assert [run.status for run in workplace.runs("never")] == ["FAILED", "FINISHED"]
    assert first.checkpoint()["global_step"] < 12


def test_another_yaml_is_another_run(workplace):
    broken_off(workplace, "other")
    changed = plan()
    changed["trainer"]["max_epochs"] = 2
    workplace.call("fit", "--config", workplace.write("other", changed), *FAST)
    assert sorted(run.status for run in workplace.runs("other")) == ["FAILED", "FINISHED"]


def test_a_named_run_of_another_configuration_is_refused_and_the_keys_are_named(workplace, capsys):
    run = broken_off(workplace, "named", None, "--run", "mine")
    line = refused(workplace, capsys, "test", "--config", "named.yaml", *UNREAD)
    assert "Its run mine is FAILED: the same `fit` goes on with it." in line
    argv = ("fit", "--config", "named.yaml", "--run", "mine", "--trainer.max_epochs", "2", "--ema_decay", "0.5")
    line = refused(workplace, capsys, *argv)
    assert line.startswith("error: run mine: the configuration has changed")
    assert "ema_decay None before, 0.5 now; trainer.max_epochs 3 before, 2 now" in line
    assert "--allow_changes true" in line
    assert run.status == "FAILED"


def test_changes_that_are_allowed_are_recorded(workplace):
    run = broken_off(workplace, "allowed", None, "--run", "mine")
    longer = ("--trainer.max_epochs", "4", "--allow_changes", "true")
    workplace.call("fit", "--config", "allowed.yaml", "--run", "mine", *longer, *FAST)
    assert run.status == "FINISHED"
    assert run.checkpoint()["global_step"] == 16
    assert run.mlflow.data.tags["changed/trainer/max_epochs"] == "4"
    assert "max_epochs: 4" in (run.path / "config.yaml").read_text()


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("model.init_args.optimizer.init_args.lr", "0.5"),
        ("model.init_args.optimizer", "torch.optim.SGD"),
        ("model.init_args.network.init_args.norm", "false"),
    ],
)
def test_what_a_checkpoint_has_in_it_cannot_change(workplace, capsys, key, value):
    name = f"fixed_{key.rpartition('.')[2]}"
    run = broken_off(workplace, name, None, "--run", "mine")
    before = (run.path / "state.json").read_bytes()
    argv = ("fit", "--config", f"{name}.yaml", "--run", "mine", f"--{key}", value, "--allow_changes", "true")
    line = refused(workplace, capsys, *argv)
    assert line.startswith("error: run mine: what a checkpoint has in it cannot change, allowed or not")
    assert "fine_tuning.start_from" in line
    assert (run.path / "state.json").read_bytes() == before
    workplace.call("fit", "--config", f"{name}.yaml", "--run", "mine", *FAST)
    assert run.status == "FINISHED"


def test_a_batch_size_that_changed_goes_on_at_the_start_of_its_epoch(workplace):
    run = broken_off(workplace, "batches", None, "--run", "mine")
    argv = ("--data.init_args.loading.batch_size", "4", "--allow_changes", "true")
    workplace.call("fit", "--config", "batches.yaml", "--run", "mine", *argv, *FAST)
    assert run.status == "FINISHED"
    # an epoch of four steps, then two of two
    assert run.checkpoint()["global_step"] in (4 + 2 + 2 + 1, 4 + 2 + 2)


def test_a_run_whose_data_changed_is_refused(workplace, capsys):
    for number in range(10):
        rng = np.random.default_rng(number)
        mask = np.zeros((48, 48), np.uint8)
        mask[number : number + 20, 9:30] = 255
        write_png(workplace.folder / "pairs/images" / f"c{number}.png", rng.integers(0, 200, (48, 48)).astype(np.uint8))
        write_png(workplace.folder / "pairs/masks" / f"c{number}.png", mask)
    source = {"class_path": "lit_medseg.catalogue.folder_pairs.FolderPairs", "init_args": {"root": "pairs"}}
    settings = plan()
    settings["data"]["init_args"] |= {"source": source, "truth": {"masks": {"organ": 255}}}
    settings["data"]["init_args"]["trust"] = {"patients": "unknown"}
    run = broken_off(workplace, "data", settings, "--run", "mine")
    write_png(workplace.folder / "pairs/images/c3.png", np.full((48, 48), 7, np.uint8))
    argv = ("fit", "--config", "data.yaml", *FAST)
    line = refused(workplace, capsys, *argv, "--run", "mine")
    assert line.startswith("error: run mine: the data have changed, expected the run's own, got other cases or their")
    card = run.path / "checkpoints/last.ckpt"
    assert "the data have changed" in refused(workplace, capsys, *argv, "--resume", str(card))
    workplace.call(*argv)
    assert sorted(one.status for one in workplace.runs("data")) == ["FAILED", "FINISHED"]
    workplace.call(*argv, "--run", "mine", "--allow_changes", "true")
    assert run.status == "FINISHED"


@pytest.mark.parametrize("damaged", [1, 2, 3])
def test_damaged_checkpoints_are_skipped(workplace, damaged, caplog):
    name = f"damaged{damaged}"
    run = broken_off(workplace, name)
    newest = sorted((run.path / "checkpoints").glob("step-*"), reverse=True)[:damaged]
    for path in newest:
        path.write_bytes(path.read_bytes()[:-3000])
    with caplog.at_level(logging.WARNING):
        workplace.call("fit", "--config", f"{name}.yaml", *FAST)
    assert caplog.text.count("an older one is taken") == damaged
    (again,) = workplace.runs(name)
    assert again.status == "FINISHED"
    if not workplace.runs("whole"):
        workplace.fit("whole", plan(), *FAST)
    (whole,) = workplace.runs("whole")
    assert same(again.checkpoint()["optimizer_states"], whole.checkpoint()["optimizer_states"])


def test_a_checkpoint_of_a_finished_run_begins_a_new_one(workplace, capsys):
    run = workplace.fit("more", plan(), *FAST)
    last = str(run.path / "checkpoints/last.ckpt")
    more = ("fit", "--config", "more.yaml", "--resume", last, "--trainer.max_epochs", "4", *FAST)
    assert f"error: {last}: the configuration has changed" in refused(workplace, capsys, *more)
    before = torch.load(last, weights_only=True)["global_step"]
    workplace.call(*more, "--allow_changes", "true")
    first, second = sorted(workplace.runs("more"), key=lambda one: one.checkpoint()["global_step"])
    assert first.path == run.path
    assert (before, second.checkpoint()["global_step"]) == (12, 16)


def test_an_older_checkpoint_goes_on_in_its_run_and_with_changes_in_a_new_one(workplace):
    """What the run has recorded since that checkpoint stays true."""
    run = broken_off(workplace, "older")
    oldest = str(min(run.path.glob("checkpoints/step-*")))
    argv = ("fit", "--config", "older.yaml", "--resume", oldest, *FAST)
    workplace.call(*argv, "--trainer.max_epochs", "2", "--allow_changes", "true")
    assert (run.status, len(workplace.runs("older"))) == ("FAILED", 2)
    workplace.call(*argv)
    assert (run.status, len(workplace.runs("older"))) == ("FINISHED", 2)


@pytest.mark.parametrize(
    ("content", "text"),
    [(None, "no such checkpoint"), (b"x" * 300, "torn or no checkpoint"), ("cut", "torn or no checkpoint")],
)
def test_a_path_that_is_no_checkpoint_is_refused(workplace, capsys, content, text):
    path = workplace.folder / "given.ckpt"
    path.unlink(missing_ok=True)
    if content == "cut":
        runs = workplace.runs("whole") or [workplace.fit("whole", plan(), *FAST)]
        path.write_bytes((runs[0].path / "checkpoints/best.ckpt").read_bytes()[:-400])
    elif content:
        path.write_bytes(content)
    workplace.write("paths", plan())
    assert text in refused(workplace, capsys, "fit", "--config", "paths.yaml", "--resume", str(path), *UNREAD)
    assert not workplace.runs("paths")


def test_a_finished_run_that_is_named_is_refused(workplace, capsys):
    workplace.fit("done", plan(), "--run", "mine", *FAST)
    line = refused(workplace, capsys, "fit", "--config", "done.yaml", "--run", "mine", *UNREAD)
    assert line.startswith("error: --run: the run is finished, expected a new or unfinished run, got mine.")
    # the verbs that need a finished run say which one comes nearest
    other = ("--config", "done.yaml", "--trainer.max_epochs", "2")
    line = refused(workplace, capsys, "test", *other, *UNREAD)
    assert "no checkpoint, expected a finished run of this YAML in experiment 'done'" in line
    assert "The nearest one is mine: trainer.max_epochs 3 before, 2 now. To use it add --run mine." in line
    workplace.call("test", *other, "--run", "mine")


def test_start_weights_that_are_not_there_are_refused(workplace, capsys):
    workplace.write("starts", plan())
    argv = ("--model.init_args.fine_tuning.start_from", "none.ckpt", *UNREAD)
    line = refused(workplace, capsys, "fit", "--config", "starts.yaml", *argv)
    assert line.startswith("error: none.ckpt: no such checkpoint, expected a file, got none.")


class Keeps(Callback):
    """A callback of the user's whose state is no plain data."""

    def state_dict(self):
        return {"where": Path("x")}


def test_a_state_that_no_later_attempt_could_read_ends_the_run_at_its_first_checkpoint(workplace, capsys):
    settings = plan()
    settings["trainer"]["callbacks"] = [{"class_path": "tests.commands.test_resume_options.Keeps"}]
    line = refused(workplace, capsys, "fit", "--config", workplace.write("keeps", settings), *FAST)
    assert line.startswith("error: checkpoints: one cannot be read again, expected plain data and tensors in every")
    assert "an object of pathlib.PosixPath" in line
    (run,) = workplace.runs("keeps")
    assert run.status == "FAILED"
    assert not list((run.path / "checkpoints").glob("step-*"))


@pytest.mark.parametrize(("key", "value"), [("checkpoint_minutes", "-1"), ("keep_checkpoints", "0")])
def test_numbers_out_of_range_are_refused(workplace, capsys, key, value):
    workplace.write("range", plan())
    line = refused(workplace, capsys, "fit", "--config", "range.yaml", f"--{key}", value)
    assert line.startswith(f"error: {key}: out of range")
