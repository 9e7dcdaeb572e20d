"""Lesions against a flood fill from the definition."""

import itertools
import math

import numpy as np
import pytest

from lit_medseg.metrics.lesion_scores import LesionCounts, lesion_counts


def _components(mask):
    left = set(map(tuple, np.argwhere(mask).tolist()))
    steps = list(itertools.product((-1, 0, 1), repeat=mask.ndim))
    while left:
        component, edge = set(), {left.pop()}
        while edge:
            voxel = edge.pop()
            component.add(voxel)
            near = {tuple(a + b for a, b in zip(voxel, step, strict=True)) for step in steps} & left
            left -= near
            edge |= near
        yield component


def _covered(mask, cover, overlap):
    shares = [np.mean([cover[voxel] for voxel in component]) for component in _components(mask)]
    return len(shares), sum(share > 0 and share >= overlap for share in shares)


@pytest.mark.parametrize("grid", [(12, 11), (6, 7, 8), (1, 9, 9)])
@pytest.mark.parametrize("overlap", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("seed", range(4))
def test_counts_agree_with_a_flood_fill(grid, overlap, seed):
    density = 0.25 if len(grid) == 2 else 0.08
    prediction, reference = np.random.default_rng(seed).random((2, *grid)) < density
    prediction |= reference & (np.random.default_rng(seed + 9).random(grid) < 0.5)
    found = lesion_counts(prediction, reference, overlap)
    assert (found.reference, found.found) == _covered(reference, prediction, overlap)
    assert (found.predicted, found.right) == _covered(prediction, reference, overlap)
    assert found.sensitivity() == found.found / found.reference
    assert found.precision() == found.right / found.predicted


def test_corners_join_and_one_component_covers_two():
    reference = np.zeros((5, 5, 9), dtype=bool)
    reference[0, 0, 0] = reference[1, 1, 1] = True  # one lesion, by a corner
    reference[3, 3, 6] = True
    prediction = np.zeros_like(reference)
    prediction[1, 1, 1:7] = prediction[1:4, 3, 6] = prediction[1, 1:4, 6] = True
    assert lesion_counts(prediction, reference) == LesionCounts(2, 2, 1, 1)
    assert lesion_counts(prediction, reference, 0.6) == LesionCounts(2, 1, 1, 0)


def test_a_tenth_of_ten_voxels_is_one_voxel():
    reference, prediction = np.ones((1, 10), dtype=bool), np.eye(1, 10, dtype=bool)
    for tenths in range(1, 11):
        prediction[0, :tenths] = True
        assert lesion_counts(prediction, reference, tenths / 10).found == 1
        assert lesion_counts(prediction, reference, tenths / 10 + 1e-6).found == 0


def test_what_is_empty():
    empty, full = np.zeros((4, 4), dtype=bool), np.ones((4, 4), dtype=bool)
    both, missed, false = lesion_counts(empty, empty), lesion_counts(empty, full), lesion_counts(full, empty)
    assert (both.sensitivity(), both.precision()) == (1.0, 1.0)
    assert missed.sensitivity() == 0.0
    assert math.isnan(missed.precision())
    assert math.isnan(false.sensitivity())
    assert false.precision() == 0.0
