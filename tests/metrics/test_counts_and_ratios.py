"""Counts and ratios against scikit-learn, torchmetrics, MONAI and loops from the definition."""

import itertools

import numpy as np
import pytest
import torch
from monai.metrics import compute_dice, compute_iou
from sklearn import metrics as sk
from torchmetrics.functional.classification import binary_specificity, binary_stat_scores

from lit_medseg.errors import DataError
from lit_medseg.metrics import counts as module
from lit_medseg.metrics import ratios
from lit_medseg.metrics.counts import code_counts, confusion_counts
from lit_medseg.metrics.segmentation_rows import RATIOS

GRIDS = [(1, 1), (7, 11), (64, 3), (3, 5, 7)]


def _planes(grid, density, seed):
    generator = torch.Generator().manual_seed(seed)
    return torch.rand(3, *grid, generator=generator) < density


@pytest.mark.parametrize("grid", GRIDS)
@pytest.mark.parametrize(
    ("predicted", "true"), [(0.3, 0.4), (0.0, 0.4), (0.3, 0.0), (0.0, 0.0), (1.0, 1.0), (1.0, 0.5)]
)
def test_counts_agree_with_a_loop_and_torchmetrics(grid, predicted, true):
    prediction, reference = _planes(grid, predicted, 0), _planes(grid, true, 1)
    counts = confusion_counts(prediction, reference)
    assert counts.dtype == np.int64
    for plane in range(3):
        pairs = list(zip(prediction[plane].flatten().tolist(), reference[plane].flatten().tolist(), strict=True))
        loop = [pairs.count(pair) for pair in [(True, True), (True, False), (False, True), (False, False)]]
        assert counts[plane].tolist() == loop
        tp, fp, tn, fn, _ = binary_stat_scores(prediction[plane].int(), reference[plane].int()).tolist()
        assert loop == [tp, fp, fn, tn]


@pytest.mark.parametrize("grid", GRIDS[1:])
@pytest.mark.parametrize("seed", range(3))
def test_ratios_agree_with_scikit_learn_and_monai(grid, seed):
    prediction, reference = _planes(grid, 0.6, seed), _planes(grid, 0.4, seed + 10)
    counts = confusion_counts(prediction, reference)
    for plane in range(3):
        pair = (reference[plane].flatten().numpy(), prediction[plane].flatten().numpy())
        expected = {
            "dice": sk.f1_score(*pair),
            "iou": sk.jaccard_score(*pair),
            "precision": sk.precision_score(*pair),
            "recall": sk.recall_score(*pair),
            "specificity": sk.recall_score(*pair, pos_label=False),
            "accuracy": sk.accuracy_score(*pair),
        }
        for name, value in expected.items():
            assert RATIOS[name](counts)[plane] == pytest.approx(value, abs=1e-15)
        assert ratios.specificity(counts)[plane] == pytest.approx(
            binary_specificity(prediction[plane].int(), reference[plane].int()).item(), abs=1e-6
        )
    one_hot = (prediction.unsqueeze(0).float(), reference.unsqueeze(0).float())
    np.testing.assert_allclose(ratios.dice(counts), compute_dice(*one_hot)[0], atol=1e-6)
    np.testing.assert_allclose(ratios.iou(counts), compute_iou(*one_hot)[0], atol=1e-6)


EMPTY = {
    # tp, fp, fn, tn: dice, iou, precision, recall, specificity, accuracy
    (0, 0, 0, 9): (1.0, 1.0, 1.0, 1.0, 1.0, 1.0),
    (0, 0, 4, 5): (0.0, 0.0, 0.0, 0.0, 1.0, 5 / 9),
    (0, 4, 0, 5): (0.0, 0.0, 0.0, 0.0, 5 / 9, 5 / 9),
    (9, 0, 0, 0): (1.0, 1.0, 1.0, 1.0, 1.0, 1.0),
    (0, 0, 9, 0): (0.0, 0.0, 0.0, 0.0, 1.0, 0.0),
    (0, 9, 0, 0): (0.0, 0.0, 0.0, 0.0, 0.0, 0.0),
    (3, 0, 6, 0): (0.5, 1 / 3, 1.0, 1 / 3, 1.0, 1 / 3),
}


@pytest.mark.parametrize("counts", EMPTY)
def test_the_documented_value_of_what_is_empty(counts):
    found = tuple(float(ratio(np.array(counts, dtype=np.int64))) for ratio in RATIOS.values())
    assert found == EMPTY[counts]


def test_every_small_table_is_in_range_and_follows_the_definition():
    tables = np.array(list(itertools.product(range(3), repeat=4)), dtype=np.int64)[1:]
    for name, ratio in RATIOS.items():
        values = ratio(tables)
        assert values.dtype == np.float64
        assert ((values >= 0) & (values <= 1)).all(), name
    for tp, fp, fn, tn in tables.tolist():
        value = ratios.precision(np.array([tp, fp, fn, tn], dtype=np.int64))
        assert value == (tp / (tp + fp) if tp + fp else 1.0 if fn == 0 else 0.0)


def test_counts_stay_exact_beyond_float32():
    prediction = torch.zeros(1, 2**24 + 3, dtype=torch.bool)
    prediction[0, 0] = True
    assert confusion_counts(prediction, torch.zeros_like(prediction)).tolist() == [[0, 1, 0, 2**24 + 2]]


def test_another_grid_is_refused():
    with pytest.raises(DataError, match="counts: prediction not on the reference's grid"):
        confusion_counts(torch.zeros(1, 4, 4, dtype=torch.bool), torch.zeros(1, 4, 5, dtype=torch.bool))


@pytest.mark.parametrize("dtype", [torch.uint8, torch.int16, torch.int64])
@pytest.mark.parametrize("block", [1, 7, 2**22])
def test_codes_are_counted_as_their_planes(monkeypatch, dtype, block):
    monkeypatch.setattr(module, "_BLOCK", block)
    generator = torch.Generator().manual_seed(0)
    # codes from -1 to 5 (uint8: to 6) of four classes: what is no class's code belongs to none
    codes = torch.randint(7, (2, 5, 6, 4), generator=generator) - int(dtype is not torch.uint8)
    prediction, reference = codes.to(dtype)
    planes = [torch.stack([one == code for code in range(4)]) for one in (prediction, reference)]
    found = code_counts(prediction, reference, 4)
    assert found.dtype == np.int64
    np.testing.assert_array_equal(found, confusion_counts(*planes))


def test_no_voxel_and_another_grid():
    empty = torch.zeros(0, 4, dtype=torch.long)
    assert code_counts(empty, empty, 2).tolist() == [[0, 0, 0, 0]] * 2
    with pytest.raises(DataError, match="counts: prediction not on the reference's grid"):
        code_counts(torch.zeros(4, 4), torch.zeros(4, 5), 2)
