"""Each option of training that is one line of the YAML, and what it has to do."""

import json
from itertools import pairwise

import numpy as np
import pytest
import torch

from lit_medseg.imaging.read_array import read_mask
from tests.commands.tiny_experiments import OWN, segmentation, sgd

PLAIN = {"norm": False}
UNCHANGED = {"training": {"augmentation": []}}
CROSS_ENTROPY = "lit_medseg.losses.cross_entropy.CrossEntropy"


def witnessed(name, **settings):
    """Settings whose weights of every step are kept, and the file that will have them."""
    witness = {"class_path": f"{OWN}.Weights", "init_args": {"file": f"{name}.pt"}}
    return segmentation(trainer={"callbacks": [witness], **settings.pop("trainer", {})}, **settings)


@pytest.fixture(scope="module")
def fit(workplace):
    def fit(name, settings, *arguments):
        run = workplace.fit(name, settings, *arguments)
        assert run.mlflow.info.status == "FINISHED"
        file = workplace.folder / f"{name}.pt"
        return run, torch.load(file) if file.is_file() else None

    return fit


@pytest.fixture(scope="module")
def plain(fit):
    """Gives a run of two steps of SGD: no option at all."""
    return fit("plain", witnessed("plain", network=PLAIN, optimizer=sgd(0.1), trainer={"max_epochs": 1}))


def vector(run, name="last"):
    weights = run.weights(name)
    return torch.cat([value.flatten() for key, value in weights.items() if key.startswith("network.")])


def test_plain_run_saves_what_it_trained(plain):
    run, steps = plain
    assert len(steps) == 3
    assert torch.equal(vector(run), steps[-1])
    assert not torch.equal(steps[0], steps[-1])


def test_early_stopping(fit):
    run, _ = fit(
        "early", segmentation(optimizer=sgd(0.0), network=PLAIN, trainer={"max_epochs": 9}), "--early_stopping", "2"
    )
    # the first validation is the best one, two more do not improve on it
    assert len(run.history("val/dice")) == 3
    assert run.checkpoint()["epoch"] == 3  # epochs done
    assert run.checkpoint("best")["epoch"] == 0


def test_averaged_weights_are_saved_and_evaluated(fit, plain):
    decay = 0.7
    run, steps = fit(
        "ema",
        witnessed("ema", network=PLAIN, optimizer=sgd(0.1), trainer={"max_epochs": 1}),
        "--ema_decay",
        str(decay),
    )
    assert all(map(torch.equal, steps, plain[1]))
    average = steps[1]  # the first step begins the average
    for weights in steps[2:]:
        average = decay * average + (1 - decay) * weights
    assert torch.allclose(vector(run), average, atol=1e-7)
    assert not torch.allclose(vector(run), steps[-1], atol=1e-7)
    assert run.history("val/loss") != plain[0].history("val/loss")


def test_dropout_changes_training_and_no_evaluation(fit, plain):
    settings = witnessed("dropout", network=PLAIN, optimizer=sgd(0.1), trainer={"max_epochs": 1})
    _, steps = fit("dropout", settings, "--dropout", "0.5")
    assert torch.equal(steps[0], plain[1][0])
    assert not torch.allclose(steps[-1], plain[1][-1], atol=1e-6)
    still, _ = fit("dropout-still", segmentation(network=PLAIN, optimizer=sgd(0.0)), "--dropout", "0.5")
    without, _ = fit("without", segmentation(network=PLAIN, optimizer=sgd(0.0)))
    assert still.history("val/loss") == without.history("val/loss")
    assert still.history("train/loss") != without.history("train/loss")


def test_gradient_clipping(fit, plain):
    most = 1e-3
    settings = witnessed(
        "clip", network=PLAIN, optimizer=sgd(1.0), trainer={"max_epochs": 1, "gradient_clip_val": most}
    )
    run, steps = fit("clip", settings)
    lengths = [float((after - before).norm()) for before, after in pairwise(steps)]
    assert lengths == pytest.approx([most] * 2, rel=1e-3)
    # the norm is the one before clipping, as without it
    assert run.history("train/grad_norm")[0] > 10 * most
    assert run.history("train/grad_norm_max")[0] >= run.history("train/grad_norm")[0]


def test_accumulated_batches_are_one_large_batch(fit):
    """With a network and a loss that do not mix samples, two batches of four make the step of one batch of eight."""
    common = {"network": PLAIN, "optimizer": sgd(0.5)}
    _, small = fit("small", witnessed("small", trainer={"max_epochs": 1, "accumulate_grad_batches": 2}, **common))
    loading = {"loading": {"batch_size": 8, "eval_batch_size": 3, "workers": 0}}
    _, large = fit("large", witnessed("large", trainer={"max_epochs": 1}, data=loading, **common))
    assert torch.equal(small[1], small[0])
    assert torch.allclose(small[2], large[1], atol=1e-6)
    assert not torch.allclose(small[2], small[0], atol=1e-4)


def test_mixed_precision(fit, plain):
    settings = segmentation(network=PLAIN, optimizer=sgd(0.1), trainer={"max_epochs": 1, "precision": "bf16-mixed"})
    run, _ = fit("bf16", settings)
    assert {value.dtype for value in run.weights().values()} == {torch.float32}
    assert not torch.equal(vector(run), vector(plain[0]))
    assert torch.allclose(vector(run), vector(plain[0]), atol=1e-2)


@pytest.mark.parametrize("option", ["channels_last", pytest.param("compile", marks=pytest.mark.slow)])
def test_execution_changes_no_number(option, fit, plain, monkeypatch):
    # in this process: starting those of torch takes longer than the compiling
    monkeypatch.setenv("TORCHINDUCTOR_COMPILE_THREADS", "1")
    settings = segmentation(network=PLAIN, optimizer=sgd(0.1), trainer={"max_epochs": 1}, execution={option: True})
    run, _ = fit(option, settings)
    assert list(run.weights()) == list(plain[0].weights())
    assert torch.allclose(vector(run), vector(plain[0]), atol=1e-5)
    assert run.history("val/loss") == pytest.approx(plain[0].history("val/loss"), abs=1e-5)


@pytest.mark.parametrize(
    ("name", "arguments", "every", "halvings"),
    [("dice", {"mode": "max"}, 1, [0, 1, 2]), ("loss", {}, 1, [0, 1, 2]), ("rarely", {}, 2, [0, 0, 0, 1])],
)
def test_rate_falls_on_a_plateau(name, arguments, every, halvings, fit):
    """A rate of almost nothing leaves the scores as they are: each validation after the first halves it."""
    schedule = {
        "class_path": "torch.optim.lr_scheduler.ReduceLROnPlateau",
        "init_args": {"factor": 0.5, "patience": 0, "eps": 0.0, **arguments},
    }
    length = {"max_epochs": len(halvings), "check_val_every_n_epoch": every}
    settings = segmentation(network=PLAIN, optimizer=sgd(1e-12), lr_scheduler=schedule, trainer=length)
    run, _ = fit(f"plateau_{name}", settings)
    assert run.history("train/lr") == pytest.approx([1e-12 / 2**number for number in halvings])


def test_another_optimizer_inherits_nothing_of_the_default_one(plain):
    params = plain[0].mlflow.data.params
    assert params["model/init_args/optimizer/class_path"] == "torch.optim.SGD"
    assert params["model/init_args/optimizer/init_args/weight_decay"] in ("0", "0.0")


def test_polynomial_decay(fit):
    schedule = {"class_path": "lit_medseg.tasks.polynomial_decay.PolynomialDecay", "init_args": {"power": 0.9}}
    settings = segmentation(network=PLAIN, optimizer=sgd(0.1), lr_scheduler=schedule, trainer={"max_epochs": 3})
    run, _ = fit("polynomial", settings)
    assert run.history("train/lr") == pytest.approx([0.1 * (1 - step / 6) ** 0.9 for step in (2, 4, 6)])


def test_schedule_of_torch_steps_each_epoch(fit):
    schedule = {"class_path": "torch.optim.lr_scheduler.StepLR", "init_args": {"step_size": 1, "gamma": 0.1}}
    settings = segmentation(network=PLAIN, optimizer=sgd(0.1), lr_scheduler=schedule)
    run, _ = fit("steps", settings)
    assert run.history("train/lr") == pytest.approx([0.01, 0.001])


def test_fine_tuning(fit):
    start, _ = fit("start", segmentation(trainer={"max_epochs": 1}))
    tuning = {
        "start_from": str(start.path / "checkpoints/last.ckpt"),
        "frozen": ["encoder.stem"],
        "encoder_lr_factor": 0.1,
    }
    settings = segmentation(optimizer=sgd(0.1), trainer={"max_epochs": 1}, fine_tuning=tuning)
    run, _ = fit("tuned", settings)
    before, after = start.weights(), run.weights()
    same = {key for key in before if torch.equal(before[key], after[key])}
    # frozen with its batch statistics
    assert {key.split(".")[2] for key in same} == {"stem"}
    assert len(same) == len([key for key in before if ".stem." in key]) == 7
    assert run.history("train/lr/0") == [0.1]
    assert run.history("train/lr/1") == [pytest.approx(0.01)]


def test_balanced_class_weights_come_from_the_training_masks(fit, workplace):
    loss = {"class_path": CROSS_ENTROPY, "init_args": {"class_weights": "balanced"}}
    run, _ = fit("balanced", segmentation(network=PLAIN, loss=loss, trainer={"max_epochs": 1}))
    (masks,) = workplace.folder.glob("phantoms/*/masks")
    train = json.loads((run.path / "split.json").read_text())["train"]
    codes = np.concatenate([read_mask(masks / f"{case}.png").ravel() for case in train])
    expected = len(codes) / (3 * np.bincount(codes, minlength=3))
    assert run.checkpoint()["lit_medseg"]["class_weights"] == pytest.approx(expected.tolist())
    unweighted, _ = fit(
        "unbalanced", segmentation(network=PLAIN, loss={"class_path": CROSS_ENTROPY}, trainer={"max_epochs": 1})
    )
    assert run.history("train/loss") != unweighted.history("train/loss")
