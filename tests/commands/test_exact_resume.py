"""A run that was ended at any point and goes on is the run that was never interrupted, to the last bit."""

from typing import Any

import pytest
import torch
from lightning.pytorch import Callback

from tests.commands.tiny_experiments import segmentation

OWN = "tests.commands.test_exact_resume"
FAST = ("--checkpoint_minutes", "0", "--keep_checkpoints", "3")


class Ends(Callback):
    """Ends the command as an error does, at the n-th call of a hook since the process started."""

    def __init__(self, hook: str, call: int) -> None:
        self.hook, self.left = hook, call

    def _count(self, hook: str) -> None:
        if hook == self.hook:
            self.left -= 1
            if self.left == 0:
                raise ArithmeticError(f"ended at {hook}")

    def on_train_batch_start(self, *args: Any) -> None:
        self._count("batch start")

    def on_train_batch_end(self, *args: Any) -> None:
        self._count("batch end")

    def on_validation_start(self, *args: Any) -> None:
        self._count("validation start")

    def on_validation_batch_end(self, *args: Any) -> None:
        self._count("validation batch end")

    def on_validation_end(self, *args: Any) -> None:
        self._count("validation end")

    def on_train_epoch_end(self, *args: Any) -> None:
        self._count("epoch end")

    def on_train_end(self, *args: Any) -> None:
        self._count("train end")

    def on_fit_end(self, *args: Any) -> None:
        self._count("fit end")


def ends(hook, call):
    return {"class_path": f"{OWN}.Ends", "init_args": {"hook": hook, "call": call}}


DROPOUT = {"dropout": 0.3}
PLATEAU = {"class_path": "torch.optim.lr_scheduler.ReduceLROnPlateau", "init_args": {"patience": 0, "mode": "max"}}
COSINE = {"class_path": "lit_medseg.tasks.warmup_cosine.WarmupCosine", "init_args": {"warmup": 0.2}}
LONG = {"loading": {"batch_size": 2, "eval_batch_size": 3, "workers": 0}}
WORKERS = {"loading": {"batch_size": 2, "eval_batch_size": 3, "workers": 2}}
KINDS = {
    "plain": (DROPOUT, {"data": LONG, "trainer": {"max_epochs": 3}}),
    "averaged": ({"ema_decay": 0.9, **DROPOUT}, {"data": LONG, "lr_scheduler": COSINE}),
    "accumulated": ({"ema_decay": 0.9}, {"data": LONG, "trainer": {"accumulate_grad_batches": 2, "max_epochs": 3}}),
    "odd accumulation": ({}, {"data": LONG, "trainer": {"accumulate_grad_batches": 3, "max_epochs": 3}}),
    "validated within": (DROPOUT, {"data": LONG, "trainer": {"val_check_interval": 2, "max_epochs": 2}}),
    "validated rarely": (
        {"early_stopping": 1},
        {"data": LONG, "trainer": {"check_val_every_n_epoch": 2, "max_epochs": 4}},
    ),
    "steps": (DROPOUT, {"data": LONG, "trainer": {"max_steps": 10, "max_epochs": -1}}),
    "plateau": ({"early_stopping": 1}, {"data": LONG, "lr_scheduler": PLATEAU, "trainer": {"max_epochs": 5}}),
    "workers": (DROPOUT, {"data": WORKERS, "trainer": {"max_epochs": 2}}),
}
POINTS = [
    ("batch start", 1),
    ("batch start", 4),
    ("batch end", 3),
    ("validation start", 1),
    ("validation batch end", 2),
    ("validation end", 2),
    ("epoch end", 1),
    ("train end", 1),
    ("fit end", 1),
]


def settings(kind):
    outer, inner = KINDS[kind]
    return {**segmentation(**inner), **outer}


def history(run):
    """Every metric that does not measure time, as MLflow has it."""
    found = {}
    for key in run.mlflow.data.metrics:
        if not key.startswith(("system/", "time/", "train/images_per_s")):
            points = run.client.get_metric_history(run.id, key)
            found[key] = [(point.step, point.value) for point in points]
    return found


def same(one: Any, other: Any) -> bool:
    """Equality of plain data and tensors, NaN being equal to itself."""
    if isinstance(one, torch.Tensor):
        return one.dtype == other.dtype and torch.equal(torch.nan_to_num(one), torch.nan_to_num(other))
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    if isinstance(one, list | tuple):
        return len(one) == len(other) and all(map(same, one, other))
    return repr(one) == repr(other)


@pytest.fixture(scope="module")
def undisturbed(workplace):
    """The run of each kind that nobody ends."""
    runs = {}

    def run(kind):
        if kind not in runs:
            name = f"undisturbed_{kind.replace(' ', '_')}"
            runs[kind] = workplace.fit(name, settings(kind), *FAST)
        return runs[kind]

    return run


# every point for one kind, and for each other kind those where it differs
CASES = [("averaged", point) for point in POINTS]
CASES += [(kind, point) for kind in KINDS if kind != "averaged" for point in POINTS[1:8:2]]


@pytest.mark.parametrize(
    ("kind", "point"), CASES, ids=lambda part: part if isinstance(part, str) else " ".join(map(str, part))
)
def test_a_run_that_goes_on_is_the_undisturbed_one(workplace, undisturbed, kind, point, monkeypatch):
    expected = undisturbed(kind)
    name = f"{kind}_{point[0]}_{point[1]}".replace(" ", "_")
    plan = settings(kind)
    plan["trainer"]["callbacks"] = [ends(*point)]
    with pytest.raises(ArithmeticError, match="ended at"):
        workplace.call("fit", "--config", workplace.write(name, plan), *FAST)
    (run,) = workplace.runs(name)
    assert run.status == "FAILED"
    plan["trainer"]["callbacks"] = []
    workplace.call("fit", "--config", workplace.write(name, plan), *FAST)
    (run,) = workplace.runs(name)
    assert run.status == run.mlflow.info.status == "FINISHED"
    ours, theirs = run.checkpoint("last"), expected.checkpoint("last")
    for part in ("state_dict", "optimizer_states", "lr_schedulers", "global_step", "evaluation"):
        assert same(ours[part], theirs[part]), part
    assert same(run.checkpoint("best")["state_dict"], expected.checkpoint("best")["state_dict"])
    assert (run.path / "cases/val.csv").read_bytes() == (expected.path / "cases/val.csv").read_bytes()
    assert history(run) == history(expected)
    assert len([key for key in run.mlflow.data.tags if key.startswith("attempt/")]) == 2
