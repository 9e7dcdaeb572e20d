"""Aggregates of classifications against scikit-learn and torchmetrics."""

import math

import numpy as np
import pytest
import torch
from sklearn import metrics as sk
from torchmetrics.functional.classification import (
    multiclass_auroc,
    multiclass_calibration_error,
    multiclass_cohen_kappa,
    multiclass_specificity,
)

from lit_medseg.metrics.bootstrap import Bootstrap
from lit_medseg.metrics.case_table import case_table
from lit_medseg.metrics.classification_rows import classification_row
from lit_medseg.metrics.classification_scores import classification_scores
from lit_medseg.metrics.evaluation import Evaluation
from lit_medseg.target import Binary, MultiClass, MultiLabel

BINARY = Binary(("normal", "ill"))
MULTI = MultiClass(("a", "b", "c"))
LABELS = MultiLabel(("a", "b", "c"))
WHOLE = {"accuracy", "balanced_accuracy", "kappa", "ece"}
BY_CLASS = {"auroc", "average_precision", "f1", "sensitivity", "specificity"}


def fake(target, cases, seed=0, labels=None):
    """Probabilities, decisions, labels (in codes) and their table."""
    generator = torch.Generator().manual_seed(seed)
    chances = target.probabilities(2 * torch.randn(cases, target.channels, generator=generator).double()).double()
    if labels is None:
        labels = target.decide(torch.rand(cases, target.channels, generator=generator))
    decisions = target.decide(chances)
    rows = [
        classification_row(f"c{i:04}", f"p{i // 2}", chances[i], decisions[i], labels[i], target) for i in range(cases)
    ]
    return chances.numpy(), decisions.numpy(), labels.numpy(), case_table(rows)


@pytest.mark.parametrize(("cases", "seed"), [(200, 0), (200, 1), (11, 2)])
def test_binary(cases, seed):
    chances, decisions, labels, table = fake(BINARY, cases, seed)
    positive = chances[:, 0]
    scores = classification_scores(table, BINARY)
    two = torch.tensor(np.stack([1 - positive, positive], 1))
    expected = {
        "accuracy": sk.accuracy_score(labels, decisions),
        "balanced_accuracy": sk.balanced_accuracy_score(labels, decisions),
        "kappa": sk.cohen_kappa_score(labels, decisions),
        "ece": multiclass_calibration_error(two, torch.tensor(labels), num_classes=2, n_bins=15).item(),
        "auroc": sk.roc_auc_score(labels, positive),
        "average_precision": sk.average_precision_score(labels, positive),
        "f1": sk.f1_score(labels, decisions),
        "sensitivity": sk.recall_score(labels, decisions),
        "specificity": sk.recall_score(labels, decisions, pos_label=0),
    }
    assert scores.keys() == expected.keys() == WHOLE | BY_CLASS
    assert scores == pytest.approx(expected, abs=1e-6)
    assert {type(value) for value in scores.values()} == {float}


@pytest.mark.parametrize(("cases", "seed"), [(200, 0), (31, 1)])
def test_multi_class(cases, seed):
    chances, decisions, labels, table = fake(MULTI, cases, seed)
    scores = classification_scores(table, MULTI)
    tensors = torch.tensor(chances), torch.tensor(labels)
    codes = torch.tensor(decisions), torch.tensor(labels)
    expected = {
        "accuracy": sk.accuracy_score(labels, decisions),
        "balanced_accuracy": sk.balanced_accuracy_score(labels, decisions),
        "kappa": multiclass_cohen_kappa(*codes, num_classes=3).item(),
        "ece": multiclass_calibration_error(*tensors, num_classes=3, n_bins=15).item(),
    }
    by_class = {
        "auroc": multiclass_auroc(*tensors, num_classes=3, average=None).numpy(),
        "average_precision": sk.average_precision_score(np.eye(3)[labels], chances, average=None),
        "f1": sk.f1_score(labels, decisions, average=None),
        "sensitivity": sk.recall_score(labels, decisions, average=None),
        "specificity": multiclass_specificity(*codes, num_classes=3, average=None).numpy(),
    }
    for key, values in by_class.items():
        expected[key] = values.mean()
        expected |= {f"{key}/{name}": values[code] for code, name in enumerate(MULTI.names)}
    assert scores.keys() == expected.keys()
    assert scores == pytest.approx(expected, abs=1e-6)
    assert scores["auroc"] == pytest.approx(sk.roc_auc_score(labels, chances, multi_class="ovr"), abs=1e-12)


def test_overlapping():
    chances, decisions, labels, table = fake(LABELS, 150)
    scores = classification_scores(table, LABELS)
    assert scores.keys() == {f"{key}{end}" for key in WHOLE | BY_CLASS for end in ("", "/a", "/b", "/c")}
    for code, name in enumerate(LABELS.names):
        truth, found, chance = labels[:, code], decisions[:, code], chances[:, code]
        two = torch.tensor(np.stack([1 - chance, chance], 1))
        expected = {
            f"accuracy/{name}": sk.accuracy_score(truth, found),
            f"balanced_accuracy/{name}": sk.balanced_accuracy_score(truth, found),
            f"kappa/{name}": sk.cohen_kappa_score(truth, found),
            f"ece/{name}": multiclass_calibration_error(two, torch.tensor(truth), num_classes=2, n_bins=15).item(),
            f"auroc/{name}": sk.roc_auc_score(truth, chance),
            f"average_precision/{name}": sk.average_precision_score(truth, chance),
            f"f1/{name}": sk.f1_score(truth, found),
            f"sensitivity/{name}": sk.recall_score(truth, found),
            f"specificity/{name}": sk.recall_score(truth, found, pos_label=0),
        }
        assert {key: scores[key] for key in expected} == pytest.approx(expected, abs=1e-6)
    assert scores["auroc"] == pytest.approx(sk.roc_auc_score(labels, chances), abs=1e-12)
    assert scores["f1"] == pytest.approx(sk.f1_score(labels, decisions, average="macro"), abs=1e-12)
    assert scores["accuracy"] == pytest.approx((labels == decisions).mean(), abs=1e-12)


@pytest.mark.parametrize("code", [0, 1])
def test_one_class_only_leaves_nan_and_no_warning(code):
    *_, table = fake(BINARY, 12, labels=torch.full((12,), code))
    scores = classification_scores(table, BINARY, Bootstrap(50))
    assert all(math.isnan(scores[key]) for key in ("auroc", "balanced_accuracy"))
    assert math.isnan(scores["sensitivity"]) == (code == 0)
    assert math.isnan(scores["specificity"]) == (code == 1)
    assert math.isnan(scores["auroc/ci_low"])
    assert 0 < scores["accuracy"] < 1


def test_a_class_without_cases_is_left_out_of_the_macro_mean():
    labels = torch.arange(30) % 2
    chances, _, _, table = fake(MULTI, 30, labels=labels)
    scores = classification_scores(table, MULTI)
    assert math.isnan(scores["auroc/c"])
    assert math.isnan(scores["sensitivity/c"])
    assert scores["auroc"] == pytest.approx((scores["auroc/a"] + scores["auroc/b"]) / 2)
    assert scores["auroc/a"] == pytest.approx(sk.roc_auc_score(labels == 0, chances[:, 0]))


@pytest.mark.parametrize("target", [BINARY, MULTI, LABELS])
def test_a_single_case_and_none(target):
    *_, table = fake(target, 1)
    scores = classification_scores(table, target, Bootstrap())
    assert scores["accuracy"] in (0, 1 / 3, 2 / 3, 1)
    assert math.isnan(scores["kappa"]) or -1 <= scores["kappa"] <= 1
    assert math.isnan(scores["accuracy/ci_low"])
    assert classification_scores(case_table([]), target, Bootstrap()) == {}


def test_probabilities_of_a_diverged_network_leave_nan():
    *_, table = fake(BINARY, 10)
    table.loc[3, ["p_normal", "p_ill"]] = np.nan
    scores = classification_scores(table, BINARY)
    assert all(math.isnan(scores[key]) for key in ("auroc", "average_precision", "ece"))
    assert math.isfinite(scores["accuracy"])


def test_intervals_agree_with_scikit_learn_on_every_draw():
    chances, decisions, labels, table = fake(MULTI, 40)
    scores = classification_scores(table, MULTI, Bootstrap(60, seed=4))
    patients = table["patient_id"].to_numpy()
    names, rng, draws = np.unique(patients), np.random.default_rng(4), []
    for _ in range(60):
        cases = np.concatenate([np.flatnonzero(patients == names[i]) for i in rng.integers(20, size=20)])
        draws.append(
            (
                sk.roc_auc_score(labels[cases] == 1, chances[cases, 1]),
                sk.cohen_kappa_score(labels[cases], decisions[cases]),
                sk.f1_score(labels[cases], decisions[cases], average="macro"),
            )
        )
    low, high = np.percentile(draws, [2.5, 97.5], axis=0)
    keys = ("auroc/b", "kappa", "f1")
    assert [scores[f"{key}/ci_low"] for key in keys] == pytest.approx(list(low), abs=1e-12)
    assert [scores[f"{key}/ci_high"] for key in keys] == pytest.approx(list(high), abs=1e-12)


def test_an_evaluation_holds_them_frozen():
    *_, table = fake(BINARY, 10)
    evaluation = Evaluation("val", table, classification_scores(table, BINARY), BINARY)
    with pytest.raises(AttributeError):
        evaluation.stage = "test"
