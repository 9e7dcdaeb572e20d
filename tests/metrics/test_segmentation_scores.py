import math

import numpy as np
import pytest
import torch

from lit_medseg.errors import DataError
from lit_medseg.metrics.bootstrap import Bootstrap
from lit_medseg.metrics.case_table import case_table
from lit_medseg.metrics.segmentation_rows import RATIOS, segmentation_rows
from lit_medseg.metrics.segmentation_scores import segmentation_scores
from lit_medseg.target import MultiClass

TARGET = MultiClass(("background", "organ", "lesion"))


def _table(cases, patients=3):
    rows = []
    for index in range(cases):
        generator = torch.Generator().manual_seed(index)
        reference, prediction = TARGET.decide(torch.rand(2, 3, 6, 5 + index, generator=generator))
        rows += segmentation_rows(f"c{index}", f"p{index % patients}", prediction, reference, TARGET)
    return case_table(rows)


def test_means_agree_with_a_group_by():
    table = _table(7)
    scores = segmentation_scores(table)
    assert len(scores) == len(RATIOS) * 3
    for ratio in RATIOS:
        by_class = table.groupby("class")[ratio].mean()
        assert scores[f"{ratio}/organ"] == pytest.approx(by_class["organ"], abs=1e-15)
        assert scores[f"{ratio}/lesion"] == pytest.approx(by_class["lesion"], abs=1e-15)
        assert scores[ratio] == pytest.approx(by_class.mean(), abs=1e-15)
    assert {type(value) for value in scores.values()} == {float}


def test_intervals_agree_with_a_loop_over_drawn_patients():
    table = _table(8)
    scores = segmentation_scores(table, Bootstrap(300, seed=5))
    rng, draws = np.random.default_rng(5), []
    for _ in range(300):
        drawn = [f"p{index}" for index in rng.integers(3, size=3)]
        cases = [table[table["patient_id"] == name] for name in drawn]
        dice = np.concatenate([part["dice"].to_numpy() for part in cases])
        organ = np.concatenate([part[part["class"] == "organ"]["dice"].to_numpy() for part in cases])
        draws.append((dice.mean(), organ.mean()))
    low, high = np.percentile(draws, [2.5, 97.5], axis=0)
    assert (scores["dice/ci_low"], scores["dice/organ/ci_low"]) == pytest.approx(tuple(low), rel=1e-12)
    assert (scores["dice/ci_high"], scores["dice/organ/ci_high"]) == pytest.approx(tuple(high), rel=1e-12)
    assert scores["dice/ci_low"] < scores["dice"] < scores["dice/ci_high"]


def test_one_case_has_scores_but_no_interval():
    scores = segmentation_scores(_table(1), Bootstrap())
    assert math.isfinite(scores["dice"])
    assert math.isnan(scores["dice/ci_low"])
    assert segmentation_scores(case_table([]), Bootstrap()) == {}


def test_a_missing_class_is_refused():
    with pytest.raises(DataError, match="a case lacks a class"):
        segmentation_scores(_table(3).iloc[:-1])
