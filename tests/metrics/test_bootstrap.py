import numpy as np
import pytest
from scipy import stats
from sklearn.metrics import roc_auc_score

from lit_medseg.metrics import bootstrap as module
from lit_medseg.metrics.bootstrap import (
    Bootstrap,
    mean_interval,
    patient_weights,
    statistic_interval,
    weighted_interval,
)
from lit_medseg.metrics.ranking_scores import weighted_auroc

PATIENTS = ["c", "a", "a", "b", "d", "d", "d", "e"]
VALUES = np.random.default_rng(0).random((8, 2))


def test_one_case_a_patient_agrees_with_scipy():
    values = np.random.default_rng(1).random(60)
    patients = [f"p{index}" for index in range(60)]
    ours = mean_interval(values[:, None], patients, Bootstrap(20_000))[:, 0]
    theirs = stats.bootstrap((values,), np.mean, n_resamples=20_000, method="percentile", rng=0).confidence_interval
    np.testing.assert_allclose(ours, [theirs.low, theirs.high], atol=2e-3)


def test_follows_the_definition_draw_by_draw():
    """The loop draws patients by name and pools their cases, with the same random numbers."""
    names, rng, means = sorted(set(PATIENTS)), np.random.default_rng(3), []
    for _ in range(200):
        drawn = [names[index] for index in rng.integers(5, size=5)]
        cases = [case for name in drawn for case, owner in enumerate(PATIENTS) if owner == name]
        means.append(np.mean([VALUES[case] for case in cases], axis=0))
    expected = np.percentile(means, [5, 95], axis=0)
    found = mean_interval(VALUES, PATIENTS, Bootstrap(200, seed=3, level=0.9))
    np.testing.assert_allclose(found, expected, rtol=1e-12)
    assert (found[0] < VALUES.mean(0)).all()
    assert (VALUES.mean(0) < found[1]).all()


def test_cases_of_a_patient_are_no_independent_evidence():
    """Ten equal images of each patient tell no more than one: the interval must not shrink."""
    values, patients = np.arange(10.0)[:, None], [f"p{index}" for index in range(10)]
    once = mean_interval(values, patients, Bootstrap())
    tenfold = mean_interval(np.repeat(values, 10, axis=0), list(np.repeat(patients, 10)), Bootstrap())
    np.testing.assert_allclose(once, tenfold, rtol=1e-12)


def test_seeded_and_free_of_the_size_of_blocks(monkeypatch):
    first = mean_interval(VALUES, PATIENTS, Bootstrap(100, seed=1))
    assert not np.array_equal(first, mean_interval(VALUES, PATIENTS, Bootstrap(100, seed=2)))
    monkeypatch.setattr(module, "_BLOCK", 24)
    blocks = list(patient_weights(PATIENTS, Bootstrap(100, seed=1)))
    assert len(blocks) == 34
    np.testing.assert_array_equal(first, mean_interval(VALUES, PATIENTS, Bootstrap(100, seed=1)))


def test_any_statistic_agrees_with_its_weighted_form():
    rng = np.random.default_rng(0)
    positive, scores = rng.random(30) < 0.4, rng.random(30).round(1)
    patients = [f"p{index // 2}" for index in range(30)]
    bootstrap = Bootstrap(100)
    slow = statistic_interval(lambda cases: roc_auc_score(positive[cases], scores[cases]), patients, bootstrap)
    fast = weighted_interval(lambda weights: weighted_auroc(weights, positive, scores)[:, None], patients, bootstrap)
    np.testing.assert_allclose(slow, fast[:, 0], rtol=1e-12)


@pytest.mark.parametrize("patients", [["a"], ["a"] * 8])
def test_one_patient_has_no_interval(patients):
    assert np.isnan(mean_interval(VALUES[: len(patients)], patients, Bootstrap())).all()
    assert np.isnan(statistic_interval(lambda cases: float(len(cases)), patients, Bootstrap())).all()


def test_undefined_draws_are_left_out():
    ends = weighted_interval(lambda weights: np.full((len(weights), 1), np.nan), PATIENTS, Bootstrap(10))
    assert np.isnan(ends).all()
    half = weighted_interval(
        lambda weights: np.where(weights[:, :1] > 0, weights[:, :1], np.nan), PATIENTS, Bootstrap(500)
    )
    assert half[0, 0] == 1.0
