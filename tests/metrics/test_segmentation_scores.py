import math

import numpy as np
import pytest
import torch

from lit_medseg.errors import DataError
from lit_medseg.metrics.bootstrap import Bootstrap
from lit_medseg.metrics.case_table import case_table
from lit_medseg.metrics.measures import MEASURES
from lit_medseg.metrics.segmentation_rows import RATIOS, segmentation_rows
from lit_medseg.metrics.segmentation_scores import segmentation_scores
from lit_medseg.metrics.segmentation_scoring import SegmentationScoring
from lit_medseg.target import MultiClass

TARGET = MultiClass(("background", "organ", "lesion"))
SCORING = SegmentationScoring(surface="always", lesions=True)


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


def _measured(seed=0, cases=9):
    """Rows with every measure, some undefined: each third case lacks the lesion in one of its masks."""
    rows = []
    for index in range(cases):
        generator = torch.Generator().manual_seed(seed + index)
        reference, prediction = TARGET.decide(torch.rand(2, 3, 4, 6, 5, generator=generator))
        if index % 3 == 0:
            prediction[prediction == 2] = 0
        arguments = (prediction, reference, TARGET, (2.0, 1.0, 1.0), SCORING)
        rows += segmentation_rows(f"c{index}", f"p{index % 4}", *arguments)
    return case_table(rows)


def test_undefined_values_are_left_out_and_counted():
    table = _measured()
    scores = segmentation_scores(table, Bootstrap(200))
    assert scores["hd95_mm/undefined"] == scores["hd95_mm/lesion/undefined"] == 3.0
    assert "hd95_mm/organ/undefined" not in scores
    assert scores["surface_dice/undefined"] == 0.0
    assert "dice/undefined" not in scores
    for column in (*RATIOS, *MEASURES):
        by_class = table.groupby("class")[column].mean()  # pandas leaves NaN out
        assert scores[f"{column}/lesion"] == pytest.approx(by_class["lesion"], rel=1e-12)
        assert scores[column] == pytest.approx(table.groupby("case_id")[column].mean().mean(), rel=1e-12)
        assert scores[f"{column}/ci_low"] <= scores[column] <= scores[f"{column}/ci_high"]
    assert {type(value) for value in scores.values()} == {float}


def test_intervals_over_what_is_defined_agree_with_a_loop():
    table = _measured()
    scores = segmentation_scores(table, Bootstrap(300, seed=2))
    lesion = table[table["class"] == "lesion"]
    rng, draws = np.random.default_rng(2), []
    for _ in range(300):
        drawn = [f"p{index}" for index in rng.integers(4, size=4)]
        values = np.concatenate([lesion[lesion["patient_id"] == name]["hd95_mm"].to_numpy() for name in drawn])
        values = values[~np.isnan(values)]
        draws.append(values.mean() if len(values) else math.nan)
    ends = np.nanpercentile(draws, [2.5, 97.5])
    found = (scores["hd95_mm/lesion/ci_low"], scores["hd95_mm/lesion/ci_high"])
    assert found == pytest.approx(tuple(ends), rel=1e-12)


def test_a_measure_that_no_case_has_is_nan():
    empty = torch.zeros(4, 4, dtype=torch.long)
    rows = [
        row
        for index in range(3)
        for row in segmentation_rows(f"c{index}", f"p{index}", empty, empty + 1, TARGET, (1.0, 1.0), SCORING)
    ]
    scores = segmentation_scores(case_table(rows), Bootstrap(20))
    assert math.isnan(scores["hd95_mm/organ"])
    assert math.isnan(scores["hd95_mm/organ/ci_low"])
    assert scores["hd95_mm"] == scores["hd95_mm/lesion"] == 0.0
    assert "volume_ml" not in scores


def test_cases_without_spacing_count_as_undefined():
    codes = torch.ones(4, 4, dtype=torch.long)
    rows = segmentation_rows("a", "a", codes, codes, TARGET)
    rows += segmentation_rows("b", "b", codes, codes, TARGET, (1.0, 1.0), SegmentationScoring("always"))
    scores = segmentation_scores(case_table(rows))
    assert (scores["surface_dice"], scores["surface_dice/undefined"]) == (1.0, 2.0)


def test_measures_leave_the_ratios_bits_alone():
    table = _measured()
    plain = segmentation_scores(table.drop(columns=list(MEASURES)), Bootstrap(100))
    full = segmentation_scores(table, Bootstrap(100))
    for name in RATIOS:
        assert full[name] == plain[name]
        assert full[f"{name}/ci_low"] == pytest.approx(plain[f"{name}/ci_low"], rel=1e-14)
