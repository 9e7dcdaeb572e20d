"""What trains large models, from the command line: FSDP on two CPU ranks, checkpointed parts, scaled learning rates."""

import json

import pytest
import torch
import yaml

from tests.commands.rank_commands import ROOT, run, write_masks, write_yaml
from tests.commands.tiny_experiments import OWN, segmentation, sgd
from tests.commands.workplace import Workplace

UNITS = ["--trainer.strategy.init_args.least_parameters", 100]


def on_two(preset):
    trainer = ["--trainer", ROOT / f"experiments/trainers/{preset}.yaml", "--trainer.accelerator", "cpu"]
    return [*trainer, "--trainer.devices", 2, "--trainer.precision", "32-true"]


@pytest.fixture(scope="module")
def work(tmp_path_factory):
    """A run on two ranks with DDP, and the same with FSDP, whose table of the last validation is kept aside."""
    folder = tmp_path_factory.mktemp("large")
    write_masks(folder / "pairs")
    source = {
        "class_path": "lit_medseg.catalogue.folder_pairs.FolderPairs",
        "init_args": {"root": str(folder / "pairs"), "patient_pattern": r"(p\d+)"},
    }
    path, truth = folder / "masks.yaml", {"masks": {"organ": 255}}
    write_yaml(path, source, truth, "Segmentation", {"eval_batch_size": 3}, {"patch_size": [24, 24]})
    settings = yaml.safe_load(path.read_text())
    settings["trainer"] = {"max_epochs": 2, "gradient_clip_val": 0.05}  # no witness: it reads the weights of one rank
    settings["model"]["init_args"]["execution"] = {"checkpointed": ["layers"]}
    path.write_text(yaml.safe_dump(settings))
    run(folder, "fit", "--config", path.name, "--run", "ddp", *on_two("ddp"))
    run(folder, "fit", "--config", path.name, "--run", "fsdp", *on_two("fsdp"), *UNITS)
    (folder / "val.csv").write_bytes((folder / "runs/masks/fsdp/cases/val.csv").read_bytes())
    return folder


def recorded(work, name, key):
    lines = (work / f"runs/masks/{name}/records.jsonl").read_text().splitlines()
    records = [json.loads(line) for line in lines]
    return [record["value"] for record in records if record["kind"] == "metric" and record["key"] == key]


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_fsdp_trains_as_ddp_does(work):
    ddp, fsdp = (
        torch.load(work / f"runs/masks/{name}/checkpoints/last.ckpt", weights_only=True)["state_dict"]
        for name in ("ddp", "fsdp")
    )
    assert list(ddp) == list(fsdp)
    assert all(torch.allclose(ddp[key], fsdp[key], atol=1e-5) for key in ddp)
    for key in ("train/loss", "train/grad_norm", "val/loss", "val/dice"):
        assert recorded(work, "fsdp", key) == pytest.approx(recorded(work, "ddp", key), rel=1e-4)
    assert len(recorded(work, "fsdp", "train/grad_norm")) == 2


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_one_rank_evaluates_the_checkpoint_to_the_same_bytes(work):
    checkpoint = "runs/masks/fsdp/checkpoints/last.ckpt"
    alone = ("--trainer.accelerator", "cpu", "--trainer.devices", "1", "--trainer.strategy", "auto")
    Workplace(work).call("validate", "--ckpt_path", checkpoint, *alone)
    assert (work / "runs/masks/fsdp/cases/val.csv").read_bytes() == (work / "val.csv").read_bytes()
    assert len((work / "val.csv").read_bytes().splitlines()) > 3


def weights(workplace, name, settings, *arguments):
    witness = {"class_path": f"{OWN}.Weights", "init_args": {"file": f"{name}.pt"}}
    settings["trainer"] |= {"callbacks": [witness], "max_epochs": 1}
    fitted = workplace.fit(name, settings, *arguments)
    return fitted, torch.load(workplace.folder / f"{name}.pt")


def test_the_learning_rate_follows_the_batch_of_a_step(workplace):
    scaled, found = weights(
        workplace,
        "scaled",
        segmentation(optimizer=sgd(0.1), trainer={"accumulate_grad_batches": 2}),
        "--learning_rate.reference_batch",
        "2",
        "--learning_rate.rule",
        "square_root",
    )
    stated, expected = weights(
        workplace, "stated", segmentation(optimizer=sgd(0.2), trainer={"accumulate_grad_batches": 2})
    )
    assert torch.equal(found[-1], expected[-1])
    assert not torch.equal(found[-1], found[0])
    assert scaled.history("train/lr") == stated.history("train/lr") == [pytest.approx(0.2)]
    written = yaml.safe_load((scaled.path / "config.yaml").read_text())
    assert written["learning_rate"] == {"reference_batch": 2, "rule": "square_root"}


def test_checkpointed_parts_change_no_number(workplace):
    execution = {"checkpointed": ["encoder.*", "head"]}
    _, found = weights(workplace, "checkpointed", segmentation(optimizer=sgd(0.1), execution=execution))
    _, expected = weights(workplace, "kept", segmentation(optimizer=sgd(0.1)))
    assert len(found) == len(expected) == 3
    assert all(map(torch.equal, found, expected))
