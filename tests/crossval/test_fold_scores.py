"""Scores over folds, against numbers computed by hand and by scikit-learn."""

import math

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score

from lit_medseg.catalogue.classes import LabelClasses, MaskClasses
from lit_medseg.crossval.fold_scores import crossval_scores, inner_scores
from lit_medseg.crossval.report import fold_frame, fold_table, score_table
from lit_medseg.metrics.bootstrap import Bootstrap
from lit_medseg.metrics.case_table import read_case_table, write_case_table

MASKS = MaskClasses({"organ": 1, "lesion": 2})
LABELS = LabelClasses({"well": "0", "ill": "1"})
RATIOS = ("dice", "iou", "precision", "recall", "specificity", "accuracy")


def masks(cases=30, folds=3, seed=0):
    rng = np.random.default_rng(seed)
    rows = []
    for case in range(cases):
        for kind in ("organ", "lesion"):
            ratios = {
                name: float(rng.random()) for name in ("dice", "iou", "precision", "recall", "specificity", "accuracy")
            }
            rows.append(
                {"case_id": f"c{case:02}", "patient_id": f"p{case // 2:02}", "fold": (case // 2) % folds, "class": kind}
                | ratios
                | {"tp": 1, "fp": 1, "fn": 1, "tn": 1}
            )
    return pd.DataFrame(rows)


def labels(cases=60, folds=3, shift=0.0, seed=0):
    rng = np.random.default_rng(seed)
    rows = []
    for case in range(cases):
        ill, fold = case % 2, (case // 2) % folds
        chance = float(np.clip(0.3 + 0.2 * ill + shift * fold + 0.2 * rng.random(), 0, 1))
        names = {"label": ("well", "ill")[ill], "prediction": ("well", "ill")[chance > 0.5]}
        ids = {"case_id": f"c{case:02}", "patient_id": f"p{case // 2:02}", "fold": fold}
        rows.append({**ids, **names, "p_well": 1 - chance, "p_ill": chance})
    return pd.DataFrame(rows)


def test_segmentation_over_all_cases_and_over_folds():
    table = masks()
    found = crossval_scores(table, MASKS)
    by_case = table.groupby("case_id")["dice"].mean()
    assert found.pooled["dice"] == pytest.approx(by_case.mean(), abs=1e-12)
    assert found.pooled["dice/ci_low"] < found.pooled["dice"] < found.pooled["dice/ci_high"]
    means = table.groupby(["fold", "case_id"])["dice"].mean().groupby("fold").mean()
    assert [scores["dice"] for scores in found.folds.values()] == pytest.approx(means.to_list(), abs=1e-12)
    assert found.means["dice"] == pytest.approx(np.mean(means), abs=1e-12)
    assert found.deviations["dice"] == pytest.approx(np.std(means, ddof=1), abs=1e-12)
    organ = table[table["class"] == "organ"].groupby("fold")["dice"].mean()
    assert found.deviations["dice/organ"] == pytest.approx(organ.std(), abs=1e-12)
    metrics = found.metrics()
    assert metrics["cv/dice"] == found.pooled["dice"]
    assert metrics["cv/dice/ci_low"] == found.pooled["dice/ci_low"]
    assert metrics["cv/dice/fold_mean"] == found.means["dice"]
    assert metrics["cv/dice/organ/fold_std"] == found.deviations["dice/organ"]


def test_the_interval_draws_patients_and_not_folds():
    """Two cases of a patient with equal scores: twice the cases say no more."""
    table = masks(cases=40)
    first = table[table["case_id"].isin([f"c{number:02}" for number in range(0, 40, 2)])]
    twice = pd.concat([first, first.assign(case_id=first["case_id"] + "x")])
    twice = twice.sort_values("case_id", kind="stable", ignore_index=True)
    once = crossval_scores(first.reset_index(drop=True), MASKS, Bootstrap(200)).pooled
    both = crossval_scores(twice, MASKS, Bootstrap(200)).pooled
    for end in ("dice/ci_low", "dice/ci_high"):
        assert once[end] == pytest.approx(both[end], abs=1e-12)


def test_pooled_auroc_is_not_the_mean_of_the_folds():
    """Folds of different calibration: each ranks well, together they do not."""
    table = labels(shift=0.3)
    found = crossval_scores(table, LABELS, Bootstrap(50))
    truth = table["label"] == "ill"
    assert found.pooled["auroc"] == pytest.approx(roc_auc_score(truth, table["p_ill"]), abs=1e-12)
    own = [roc_auc_score(part["label"] == "ill", part["p_ill"]) for _, part in table.groupby("fold")]
    assert found.means["auroc"] == pytest.approx(np.mean(own), abs=1e-12)
    assert found.deviations["auroc"] == pytest.approx(np.std(own, ddof=1), abs=1e-12)
    assert found.means["auroc"] > found.pooled["auroc"] + 0.05


def test_a_score_that_a_fold_does_not_define_is_left_out_of_the_mean():
    table = labels()
    table = table[(table["fold"] != 1) | (table["label"] == "ill")].reset_index(drop=True)
    found = crossval_scores(table, LABELS, Bootstrap(50))
    assert math.isnan(found.folds[1]["auroc"])
    assert found.means["auroc"] == pytest.approx((found.folds[0]["auroc"] + found.folds[2]["auroc"]) / 2)


def test_inner_folds_are_scored_for_each_outer_fold():
    table = pd.concat([masks(seed=seed).assign(fold=seed) for seed in range(3)], ignore_index=True)
    table.insert(3, "inner_fold", [int(name[1:]) % 2 for name in table["case_id"]])
    table = table.sort_values(["fold", "inner_fold", "case_id"], kind="stable", ignore_index=True)
    found = inner_scores(table, MASKS)
    assert [*found] == [0, 1, 2]
    wanted = table[table["fold"] == 1].groupby("case_id")["dice"].mean().mean()
    assert found[1]["dice"] == pytest.approx(wanted, abs=1e-12)


@pytest.mark.parametrize(("table", "classes", "name"), [(masks(), MASKS, "dice"), (labels(), LABELS, "auroc")])
def test_tables_for_people_and_to_keep(tmp_path, table, classes, name):
    found = crossval_scores(table, classes, Bootstrap(50))
    shown = score_table(found)
    assert name in [*shown.columns[0].cells]
    assert all(cell.count("/") == 0 or cell.startswith("dice/") for cell in shown.columns[0].cells)
    folds = fold_table(found, table)
    assert [*folds.columns[0].cells] == ["0", "1", "2"]
    assert [*folds.columns[2].cells] == [
        str(table[table["fold"] == number]["patient_id"].nunique()) for number in range(3)
    ]
    frame = fold_frame(found, table, {number: f"cv-fold{number}" for number in range(3)})
    assert frame[name].to_list() == [scores[name] for scores in found.folds.values()]
    write_case_table(table, tmp_path / "oof.csv")
    again = crossval_scores(read_case_table(tmp_path / "oof.csv"), classes, Bootstrap(50))
    assert again == found
