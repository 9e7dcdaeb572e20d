import numpy as np
import pytest
import torch
from sklearn.metrics import average_precision_score, roc_auc_score
from torchmetrics.functional.classification import binary_auroc, binary_average_precision

from lit_medseg.metrics.ranking_scores import weighted_auroc, weighted_average_precision


@pytest.mark.parametrize("cases", [2, 7, 200])
@pytest.mark.parametrize("digits", [1, 15])
def test_every_weighting_agrees_with_scikit_learn(cases, digits):
    rng = np.random.default_rng(cases)
    positive, scores = rng.random(cases) < 0.5, rng.random(cases).round(digits)
    positive[:2] = [True, False]
    weights = rng.integers(0, 4, size=(20, cases)).astype(float)
    weights[:, :2] += 1
    auroc, precision = weighted_auroc(weights, positive, scores), weighted_average_precision(weights, positive, scores)
    for index, row in enumerate(weights):
        assert auroc[index] == pytest.approx(roc_auc_score(positive, scores, sample_weight=row), abs=1e-12)
        assert precision[index] == pytest.approx(
            average_precision_score(positive, scores, sample_weight=row), abs=1e-12
        )


def test_agrees_with_torchmetrics_and_the_pairs():
    rng = np.random.default_rng(0)
    positive, scores, ones = rng.random(50) < 0.3, rng.random(50).round(1), np.ones((1, 50))
    tensors = torch.tensor(scores), torch.tensor(positive).long()
    pairs = [(p > n) + (p == n) / 2 for p in scores[positive] for n in scores[~positive]]
    assert weighted_auroc(ones, positive, scores)[0] == pytest.approx(np.mean(pairs), abs=1e-12)
    assert weighted_auroc(ones, positive, scores)[0] == pytest.approx(binary_auroc(*tensors).item(), abs=1e-6)
    found = weighted_average_precision(ones, positive, scores)[0]
    assert found == pytest.approx(binary_average_precision(*tensors).item(), abs=1e-6)


def test_undefined_is_nan():
    scores, ones = np.array([0.1, 0.7, 0.7]), np.ones((2, 3))
    assert np.isnan(weighted_auroc(ones, np.array([True] * 3), scores)).all()
    assert np.isnan(weighted_auroc(ones, np.array([False] * 3), scores)).all()
    assert np.isnan(weighted_average_precision(ones, np.array([False] * 3), scores)).all()
    assert (weighted_average_precision(ones, np.array([True] * 3), scores) == 1).all()
    diverged = np.array([0.1, np.nan, 0.7])
    assert np.isnan(weighted_auroc(ones, np.array([True, False, True]), diverged)).all()
    assert np.isnan(weighted_average_precision(ones, np.array([True, False, True]), diverged)).all()
