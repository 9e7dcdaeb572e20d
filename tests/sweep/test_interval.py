"""Intervals and differences, against scipy, least squares and made-up sweeps."""

import math

import numpy as np
import pytest
from scipy import stats

from lit_medseg.sweep.interval import least_difference, mean_interval
from lit_medseg.sweep.report import Findings, report_lines
from tests.sweep.searches import plan_with
from tests.sweep.test_report import row


def test_the_interval_of_a_mean_is_students():
    values = [0.8, 0.82, 0.79, 0.81]
    expected = stats.t.interval(0.95, 3, loc=np.mean(values), scale=stats.sem(values))
    assert mean_interval(values) == pytest.approx(expected)
    assert all(map(math.isnan, mean_interval([0.8])))


def test_folds_widen_the_interval_as_nadeau_and_bengio_have_it():
    values = [0.8, 0.82, 0.79, 0.81, 0.85]
    scale = np.sqrt((1 / 5 + 1 / 4) * np.var(values, ddof=1))
    expected = stats.t.interval(0.95, 4, loc=np.mean(values), scale=scale)
    assert mean_interval(values, shared=1 / 4) == pytest.approx(expected)


def test_two_settings_are_compared_as_by_a_paired_t_test():
    values, shift = [0.8, 0.82, 0.79, 0.81], [0.02, 0.01, 0.03, 0.025]
    least = least_difference([values, [a - b for a, b in zip(values, shift, strict=True)]])
    assert stats.ttest_1samp(np.add(shift, least - np.mean(shift)), 0.0).pvalue == pytest.approx(0.05, rel=1e-6)


def test_the_residual_is_that_of_settings_and_seeds_fitted_together():
    table = np.random.default_rng(0).normal(0.8, 0.05, (5, 3))
    table += np.array([0.0, 0.1, -0.1])
    setting, seed = np.indices(table.shape).reshape(2, -1)
    design = np.column_stack([np.eye(5)[setting], np.eye(3)[seed][:, 1:]])
    _, (squares,), rank, _ = np.linalg.lstsq(design, table.ravel(), rcond=None)
    freedom = table.size - rank
    expected = stats.studentized_range.ppf(0.95, 5, freedom) * math.sqrt(squares / freedom / 3)
    assert least_difference(table.tolist()) == pytest.approx(expected)
    one_way = stats.tukey_hsd(*(table - table.mean(axis=0)))  # seeds taken out by hand: more degrees of freedom
    low, high = (getattr(one_way.confidence_interval(0.95), end)[0, 1] for end in ("low", "high"))
    q = stats.studentized_range.ppf(0.95, 5, 10) / stats.studentized_range.ppf(0.95, 5, freedom)
    assert (high - low) / 2 == pytest.approx(expected * q * math.sqrt(freedom / 10))


def test_of_a_dozen_equal_settings_none_is_called_worse_in_nineteen_sweeps_of_twenty():
    random, found = np.random.default_rng(1), []
    for _ in range(2000):
        table = random.normal(0.0, 1.0, (12, 3)) + random.normal(0.0, 5.0, 3)  # a seed moves all alike
        found.append(np.ptp(table.mean(axis=1)) / least_difference(table.tolist()) > 1)
    assert np.mean(found) == pytest.approx(0.05, abs=0.015)


@pytest.mark.parametrize(
    "table",
    [[], [[0.8, 0.9]], [[0.8], [0.1]], [[0.8, 0.8], [0.7, 0.7]], [[0.8, 0.8], [0.8, 0.8]], [[0.0, 0.0], [0.0, 0.0]]],
)
def test_where_nothing_can_be_told_there_is_no_difference(table):
    assert math.isnan(least_difference(table))


def test_several_data_sets_are_no_sample_of_one_and_folds_share_cases(tmp_path):
    rows = [row(0, 0.8, 0.6, 0.9)]
    lines = report_lines(Findings(plan_with(tmp_path, experiment=["a.yaml", "b.yaml", "c.yaml"]), rows))
    assert "trial 0: val/dice 0.7667 (0.6000 to 0.9000 over 3 runs)" in lines[1]
    folds = report_lines(Findings(plan_with(tmp_path, folds=3), rows))
    low, high = mean_interval([0.8, 0.6, 0.9], shared=1 / 2)
    assert f"(95% {low:.4f} to {high:.4f} over 3 folds, 0.6000 to 0.9000)" in folds[1]


@pytest.mark.parametrize(("complete", "hint"), [(15, ""), (14, "; a hint only")])
def test_what_mattered_says_over_how_many_trials_and_how_many_were_pruned(tmp_path, complete, hint):
    rows = [*(row(number, 0.8) for number in range(complete)), *(row(50 + n, 0.5, state="PRUNED") for n in range(5))]
    text = "\n".join(report_lines(Findings(plan_with(tmp_path), rows, 6, {"lr": 1.0})))
    counted = f"over {complete + 5} trials, 5 of them pruned and counted with what they had reached"
    assert f"mattered    lr 100% ({counted}{hint})" in text
