"""fit, test, validate and predict of one run, called in this process."""

import hashlib
import math

import pandas as pd
import pytest
import torch
import yaml

from lit_medseg.imaging.read_array import read_mask
from tests.commands.tiny_experiments import segmentation

NAME = "flow"
SCORES = ("dice", "iou", "precision", "recall", "specificity", "accuracy")


@pytest.fixture(scope="module")
def run(workplace):
    """Gives the run that all four verbs have worked on."""
    run = workplace.fit(NAME, segmentation())
    for verb in ("test", "validate", "predict"):
        workplace.call(verb, "--config", f"{NAME}.yaml")
    assert [found.path for found in workplace.runs(NAME)] == [run.path]
    return run


@pytest.fixture(scope="module")
def repeated(workplace, run):
    """Gives the run that the first one's own YAML made, and the first one's files as they were before it."""
    before = files_of(run)
    config = run.download("config.yaml")
    workplace.call("fit", "--config", str(config))
    first, second = workplace.runs(NAME)
    assert first.path == run.path
    return second, before


def files_of(run):
    return {file: hashlib.sha256(file.read_bytes()).hexdigest() for file in run.path.rglob("*") if file.is_file()}


def flat(value, key=""):
    """Write nested settings as MLflow's keys; independent of the package's own."""
    if isinstance(value, dict) and value:
        items = value.items()
    elif isinstance(value, list) and any(isinstance(item, dict) for item in value):
        items = enumerate(value)
    else:
        return {key: str(value)}
    return {path: text for name, item in items for path, text in flat(item, f"{key}/{name}".strip("/")).items()}


def test_every_setting_is_a_parameter(run):
    config = yaml.safe_load(run.download("config.yaml").read_text())
    params = run.mlflow.data.params
    assert params == {key: text[:6000] for key, text in flat(config).items()}
    # defaults, and what the data gave, are among them
    assert params["data/init_args/training/seed"] == "0"
    assert params["model/init_args/network/init_args/classes"] == "3"
    assert params["model/init_args/network/init_args/in_channels"] == "1"
    assert params["trainer/accumulate_grad_batches"] == "1"


def test_metrics(run):
    metrics = run.mlflow.data.metrics
    assert metrics["train/loss"] == pytest.approx(metrics["train/loss/pixel"] + metrics["train/loss/region"], rel=1e-5)
    wanted = {f"{stage}/{score}" for stage in ("val", "test") for score in SCORES}
    wanted |= {f"{stage}/dice/{name}" for stage in ("val", "test") for name in ("organ", "lesion", "ci_low", "ci_high")}
    wanted |= {"val/loss", "test/loss", "train/lr", "train/grad_norm", "train/grad_norm_max", "train/images_per_s"}
    wanted |= {"time/epoch_s", "time/validation_s", "time/first_batch_s", "time/data_wait_share", "epoch"}
    wanted |= {"system/cpu_utilization_percentage", "system/system_memory_usage_megabytes"}
    assert wanted - set(metrics) == set()
    assert all(math.isfinite(metrics[key]) for key in wanted)
    assert 0 <= metrics["time/data_wait_share"] <= 1
    assert 0 <= metrics["test/dice/ci_low"] <= metrics["test/dice"] <= metrics["test/dice/ci_high"] <= 1
    assert len(run.history("train/loss")) == len(run.history("time/epoch_s")) == 2
    assert run.history("train/lr") == [0.01, 0.01]


def test_tags_and_data_set(run):
    tags = run.mlflow.data.tags
    manifest, split = (yaml.safe_load(run.download(name).read_text()) for name in ("manifest.json", "split.json"))
    assert len(tags["data_hash"]) == len(tags["split_hash"]) == 64
    assert tags["git.commit"]
    assert tags["package/torch"] == torch.__version__.partition("+")[0] or tags["package/torch"] == torch.__version__
    assert {"package/mlflow", "hardware/cpu", "hardware/cores", "hardware/memory_gib", "host", "python"} <= set(tags)
    assert tags["verb"] == "fit"
    assert "/dice" in tags["mlflow.note.content"]
    (given,) = run.mlflow.inputs.dataset_inputs
    assert given.dataset.digest == tags["data_hash"][:36]
    assert len(manifest["entries"]) == 16
    assert [len(split[name]) for name in ("train", "val", "test")] == [8, 4, 4]


def test_artifacts(run):
    found = set(run.artifacts())
    wanted = {"config.yaml", "split.json", "manifest.json", "fitted.json", "checkpoints/best.ckpt"}
    wanted |= {"cases/val.csv", "cases/test.csv", "curves/val/dice.png", "curves/test/dice.png"}
    assert wanted - found == set()
    assert sum(name.startswith("overlays/val/epoch_0002/") for name in found) == 4
    assert sum(name.startswith("overlays/test/") for name in found) == 4
    assert run.download("checkpoints/best.ckpt").read_bytes() == (run.path / "checkpoints/best.ckpt").read_bytes()


def test_case_tables(run):
    table = pd.read_csv(run.download("cases/test.csv"), dtype={"case_id": str})
    split = yaml.safe_load((run.path / "split.json").read_text())
    assert list(table["case_id"]) == [case for case in sorted(split["test"]) for _ in range(2)]
    assert run.mlflow.data.metrics["test/dice"] == pytest.approx(table.groupby("class")["dice"].mean().mean())


def test_predictions_are_the_tested_masks(run, workplace):
    """The masks that predict wrote give the very counts that test wrote into its table."""
    table = pd.read_csv(run.path / "cases/test.csv").set_index(["case_id", "class"])
    (references,) = workplace.folder.glob("phantoms/*/masks")
    files = sorted(run.predictions.glob("*.png"))
    assert len(files) == 4
    for file in files:
        prediction, reference = read_mask(file), read_mask(references / file.name)
        for name, code in (("organ", 1), ("lesion", 2)):
            row = table.loc[(file.stem, name)]
            assert row["tp"] == ((prediction == code) & (reference == code)).sum()
            assert row["fp"] == ((prediction == code) & (reference != code)).sum()
            assert row["fn"] == ((prediction != code) & (reference == code)).sum()


def test_ends_finished(run):
    assert run.status == "FINISHED"
    assert run.mlflow.info.status == "FINISHED"


def test_a_second_run_touches_nothing_of_the_first(run, repeated):
    second, before = repeated
    assert files_of(run) == before
    stem = run.path.name.removesuffix("-1")
    assert (run.path.name, second.path.name) == (f"{stem}-1", f"{stem}-2")
    assert second.mlflow.data.tags["data_hash"] == run.mlflow.data.tags["data_hash"]


def test_the_resolved_yaml_repeats_the_run_to_the_bit(run, repeated):
    second, _ = repeated
    for name in ("best", "last"):
        first_weights, weights = run.weights(name), second.weights(name)
        assert list(weights) == list(first_weights)
        assert all(torch.equal(weights[key], first_weights[key]) for key in weights)
    assert (second.path / "cases/val.csv").read_bytes() == (run.path / "cases/val.csv").read_bytes()
    assert (second.path / "config.yaml").read_bytes() == (run.path / "config.yaml").read_bytes()


def test_a_checkpoint_alone_is_enough(run, repeated, workplace):
    second, _ = repeated
    checkpoint = second.path / "checkpoints/best.ckpt"
    workplace.call("test", "--ckpt_path", str(checkpoint))
    assert (second.path / "cases/test.csv").read_bytes() == (run.path / "cases/test.csv").read_bytes()
    assert second.mlflow.data.metrics["test/dice"] == run.mlflow.data.metrics["test/dice"]
    assert "cases/test.csv" in second.artifacts()
    assert second.mlflow.info.status == "FINISHED"
