import numpy as np
import pytest
import torch
from torchmetrics.functional.classification import multiclass_calibration_error

from lit_medseg.metrics.calibration_error import weighted_calibration_error


@pytest.mark.parametrize("cases", [1, 9, 500])
def test_agrees_with_torchmetrics(cases):
    rng = np.random.default_rng(cases)
    probabilities = rng.dirichlet(np.ones(4), size=cases)
    labels = rng.integers(4, size=cases)
    expected = multiclass_calibration_error(torch.tensor(probabilities), torch.tensor(labels), num_classes=4, n_bins=15)
    decisions = probabilities.argmax(1)
    found = weighted_calibration_error(np.ones((1, cases)), decisions == labels, probabilities.max(1))
    assert found[0] == pytest.approx(expected.item(), abs=1e-6)


def test_follows_the_definition_at_the_edges_of_bins():
    confidence = np.array([0.0, 0.2, 0.20001, 0.4, 0.5, 1.0, 1.0])
    correct = np.array([False, True, False, True, True, True, False])
    weights = np.array([[1.0] * 7, [2, 0, 1, 3, 0, 1, 1]])
    expected = np.zeros(2)
    for low, high in [(-1, 0.2), (0.2, 0.4), (0.4, 0.6), (0.6, 0.8), (0.8, 1.0)]:
        inside = (confidence > low) & (confidence <= high)
        for index, row in enumerate(weights * inside):
            if row.sum():
                gap = abs((row * correct).sum() / row.sum() - (row * confidence).sum() / row.sum())
                expected[index] += gap * row.sum() / weights[index].sum()
    np.testing.assert_allclose(weighted_calibration_error(weights, correct, confidence, bins=5), expected, rtol=1e-12)


def test_nan_is_nan():
    assert np.isnan(weighted_calibration_error(np.ones((1, 1)), np.array([True]), np.array([np.nan]))).all()
