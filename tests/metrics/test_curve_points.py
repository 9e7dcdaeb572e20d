import numpy as np
import pytest
import torch
from sklearn import metrics as sk
from torchmetrics.functional.classification import multiclass_confusion_matrix

from lit_medseg.metrics.case_table import case_table
from lit_medseg.metrics.classification_rows import classification_row
from lit_medseg.metrics.classification_scores import classification_scores
from lit_medseg.metrics.curve_points import confusion_matrices, curve_points
from lit_medseg.target import Binary, MultiClass, MultiLabel

TARGETS = [Binary(("normal", "ill")), MultiClass(("a", "b", "c")), MultiLabel(("a", "b"))]


def _fake(target, cases=60, labels=None):
    generator = torch.Generator().manual_seed(0)
    chances = torch.rand(cases, target.channels, generator=generator).double()
    chances = chances / chances.sum(1, keepdim=True) if isinstance(target, MultiClass) else chances
    if labels is None:
        labels = target.decide(torch.rand(cases, target.channels, generator=generator))
    decisions = target.decide(chances)
    rows = [classification_row(f"c{i:03}", "p", chances[i], decisions[i], labels[i], target) for i in range(cases)]
    return decisions, labels, case_table(rows)


@pytest.mark.parametrize("target", TARGETS)
def test_areas_under_the_curves_are_the_scores(target):
    *_, table = _fake(target)
    curves, scores = curve_points(table, target), classification_scores(table, target)
    assert list(curves) == (["ill"] if isinstance(target, Binary) else list(target.names))
    for name, curve in curves.items():
        suffix = "" if isinstance(target, Binary) else f"/{name}"
        area = np.trapezoid(curve.true_positive_rate, curve.false_positive_rate)
        assert area == pytest.approx(scores[f"auroc{suffix}"], abs=1e-12)
        steps = -np.sum(np.diff(curve.recall) * curve.precision[:-1])
        assert steps == pytest.approx(scores[f"average_precision{suffix}"], abs=1e-12)


def test_confusion_matrices():
    decisions, labels, table = _fake(TARGETS[1])
    expected = multiclass_confusion_matrix(decisions, labels, num_classes=3)
    assert confusion_matrices(table, TARGETS[1])[""].tolist() == expected.tolist()
    decisions, labels, table = _fake(TARGETS[2])
    expected = sk.multilabel_confusion_matrix(labels.numpy(), decisions.numpy())
    found = confusion_matrices(table, TARGETS[2])
    assert list(found) == ["a", "b"]
    np.testing.assert_array_equal(np.stack(list(found.values())), expected)


def test_a_class_without_cases_has_no_curve_but_a_row_in_the_matrix():
    target = TARGETS[1]
    *_, table = _fake(target, labels=torch.arange(60) % 2)
    assert list(curve_points(table, target)) == ["a", "b"]
    assert confusion_matrices(table, target)[""].shape == (3, 3)
    *_, table = _fake(target, labels=torch.zeros(60, dtype=torch.long))
    assert curve_points(table, target) == {}
    assert curve_points(case_table([]), target) == {}
    assert confusion_matrices(case_table([]), target) == {}
