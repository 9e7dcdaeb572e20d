"""The flow of the other tasks: exclusive and overlapping labels, overlapping masks."""

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import accuracy_score, roc_auc_score

from lit_medseg.imaging.read_array import read_mask
from lit_medseg.imaging.write_png import write_png
from lit_medseg.main import main
from tests.commands.tiny_experiments import other_data
from tests.data.fake_sets import write_classes

CATALOGUE = "lit_medseg.catalogue"
CLASSIFICATION = "lit_medseg.tasks.classification.ClassificationTask"
SEGMENTATION = "lit_medseg.tasks.segmentation.SegmentationTask"


def all_verbs(workplace, name, settings):
    run = workplace.fit(name, settings)
    for verb in ("test", "validate", "predict"):
        workplace.call(verb, "--config", f"{name}.yaml")
    assert [found.path for found in workplace.runs(name)] == [run.path]
    assert run.mlflow.info.status == run.status == "FINISHED"
    return run


@pytest.fixture(scope="module")
def settings(workplace):
    write_classes(workplace.folder / "classes")
    source = {
        "class_path": f"{CATALOGUE}.class_folders.ClassFolders",
        "init_args": {"root": "classes", "patient_pattern": r"(q\d+)_"},
    }
    return other_data(source, {"labels": ["dark", "bright"]}, CLASSIFICATION, "TinyClassifier")


@pytest.fixture(scope="module")
def run(workplace, settings):
    return all_verbs(workplace, "labels", settings)


def test_scores_are_those_of_the_table(run):
    table = pd.read_csv(run.download("cases/test.csv"))
    assert list(table.columns) == ["case_id", "patient_id", "label", "prediction", "p_dark", "p_bright"]
    metrics = run.mlflow.data.metrics
    assert metrics["test/accuracy"] == pytest.approx(accuracy_score(table["label"], table["prediction"]))
    area = roc_auc_score(table["label"] == "bright", table["p_bright"])
    assert metrics["test/auroc"] == pytest.approx(area)
    wanted = {"balanced_accuracy", "average_precision", "f1", "sensitivity", "specificity"}
    assert {f"{stage}/{name}" for stage in ("val", "test") for name in wanted} <= set(metrics)
    assert {"train/loss", "val/loss", "train/lr", "train/grad_norm"} <= set(metrics)


def test_artifacts(run):
    found = set(run.artifacts())
    curves = {f"curves/{stage}/{name}.png" for stage in ("val", "test") for name in ("confusion", "roc")}
    assert curves | {"curves/test/precision_recall.png", "checkpoints/best.ckpt", "config.yaml"} <= found
    table = pd.read_csv(run.download("cases/test.csv"))
    wrong = "overlays/test/wrong_cases.png" in found
    assert wrong == bool((table["label"] != table["prediction"]).any())


def test_predictions_are_the_tested_ones(run):
    tested = pd.read_csv(run.path / "cases/test.csv").drop(columns=["patient_id", "label"])
    pd.testing.assert_frame_equal(pd.read_csv(run.predictions / "predictions.csv"), tested)


def test_the_other_task_refuses_labels(workplace, settings, monkeypatch, capsys):
    monkeypatch.chdir(workplace.folder)
    settings["model"]["class_path"] = SEGMENTATION
    assert main(["fit", "--config", workplace.write("wrong_task", settings)]) == 2
    assert "expected masks, got labels" in capsys.readouterr().err
    assert workplace.runs("wrong_task") == []


def write_overlapping(root):
    """Pictures of twelve patients with two squares each, which overlap, and a table of what can be seen."""
    lines = ["image,patient,organ,lesion"]
    for patient in range(12):
        rng = np.random.default_rng(patient)
        image = rng.integers(0, 90, (1, 32, 40)).astype(np.uint8)
        for number, name in enumerate(("organ", "lesion")):
            mask = np.zeros((1, 32, 40), np.uint8)
            row, column = rng.integers(2, 14, 2)
            mask[:, row : row + 12, column : column + 12] = 255
            image += mask // (4 + 4 * number)
            write_png(root / name / f"p{patient:02}.png", mask)
        write_png(root / "images" / f"p{patient:02}.png", image)
        lines.append(f"images/p{patient:02}.png,p{patient:02},{patient % 2},{int(patient % 3 > 0)}")
    (root / "cases.csv").write_text("\n".join(lines) + "\n")


@pytest.fixture(scope="module")
def overlapping(workplace):
    write_overlapping(workplace.folder / "overlapping")
    return workplace.folder / "overlapping"


def test_overlapping_masks(workplace, overlapping):
    source = {
        "class_path": f"{CATALOGUE}.folder_pairs.FolderPairs",
        "init_args": {"root": "overlapping", "masks": ["organ", "lesion"], "patient_pattern": r"(p\d+)"},
    }
    truth = {"masks": {"organ": 255, "lesion": 255}, "overlapping": True}
    run = all_verbs(workplace, "overlapping_masks", other_data(source, truth, SEGMENTATION, "TinyUNet"))
    table = pd.read_csv(run.download("cases/test.csv")).set_index(["case_id", "class"])
    assert len(table) == 2 * 3
    for (case_id, name), row in table.iterrows():
        prediction = read_mask(run.predictions / name / f"{case_id}.png") == 255
        reference = read_mask(overlapping / name / f"{case_id}.png") == 255
        assert row["tp"] == (prediction & reference).sum()
        assert row["fp"] == (prediction & ~reference).sum()
        assert row["tn"] == (~prediction & ~reference).sum()
    assert run.mlflow.data.metrics["test/dice"] == pytest.approx(table["dice"].mean())
    assert any(name.startswith("overlays/test/") for name in run.artifacts())


def test_overlapping_labels(workplace, overlapping):
    columns = {"image": "{image}", "case": "{patient}", "patient": "{patient}", "labels": ["organ", "lesion"]}
    source = {
        "class_path": f"{CATALOGUE}.csv_table.CsvTable",
        "init_args": {"root": "overlapping", "table": "cases.csv", **columns},
    }
    truth = {"labels": ["organ", "lesion"], "overlapping": True}
    run = all_verbs(workplace, "overlapping_labels", other_data(source, truth, CLASSIFICATION, "TinyClassifier"))
    tested = pd.read_csv(run.download("cases/test.csv"), keep_default_na=False).set_index("case_id")
    truth = pd.read_csv(overlapping / "cases.csv").set_index("patient")
    assert tested["y_organ"].to_dict() == truth.loc[tested.index, "organ"].to_dict()
    assert tested["y_lesion"].to_dict() == truth.loc[tested.index, "lesion"].to_dict()
    predicted = pd.read_csv(run.predictions / "predictions.csv", keep_default_na=False).set_index("case_id")
    assert predicted["prediction"].to_dict() == tested["prediction"].to_dict()
    for case_id, decided in predicted["prediction"].items():
        chances = predicted.loc[case_id, ["p_organ", "p_lesion"]]
        assert decided == "|".join(name for name in ("organ", "lesion") if chances[f"p_{name}"] >= 0.5)
    assert {"test/accuracy", "test/auroc"} <= set(run.mlflow.data.metrics)
