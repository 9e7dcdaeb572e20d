"""Distances between surfaces against MONAI and loops from the definition."""

import itertools
import math
import warnings

import numpy as np
import pytest
import torch
from monai.metrics import compute_average_surface_distance, compute_hausdorff_distance, compute_surface_dice
from scipy import ndimage
from scipy.spatial.distance import cdist

from lit_medseg.metrics.surface_distances import surface_distances, surface_voxels

GRIDS = [
    ((21, 17, 13), (1.0, 1.0, 1.0)),
    ((7, 24, 19), (5.0, 0.7, 0.9)),
    ((33, 20), (0.4, 1.7)),
    ((1, 9, 9), (2.5, 1.0, 1.0)),
    ((2, 2, 1), (1.0, 3.0, 2.0)),
]


def _blobs(grid, seed, width=1.5):
    """Two similar masks of smooth noise that touch the borders of the grid."""
    rng = np.random.default_rng(seed)
    field, change = (ndimage.gaussian_filter(rng.standard_normal(grid), width, mode="wrap") for _ in range(2))
    field, change = field / field.std(), change / change.std()
    return field > 0.3, field + 0.5 * change > 0.3


def _monai(prediction, reference, spacing, tolerance):
    one, other = (torch.from_numpy(mask)[None, None].float() for mask in (prediction, reference))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # MONAI's own, of empty masks and of its old options
        hd95 = compute_hausdorff_distance(one, other, include_background=True, percentile=95, spacing=spacing)
        assd = compute_average_surface_distance(one, other, include_background=True, symmetric=True, spacing=spacing)
        nsd = compute_surface_dice(one, other, [tolerance], include_background=True, spacing=spacing)
    return hd95.item(), assd.item(), nsd.item()


@pytest.mark.parametrize(("grid", "spacing"), GRIDS)
@pytest.mark.parametrize("seed", range(8))
def test_agree_with_monai(grid, spacing, seed):
    prediction, reference = _blobs(grid, seed)
    prediction.flat[seed % prediction.size] = reference.flat[-1] = True
    found = surface_distances(prediction, reference, spacing)
    for tolerance in (0.0, 0.7, 1.5):
        ours = (found.hd95_mm(), found.assd_mm(), found.surface_dice(tolerance))
        assert ours == pytest.approx(_monai(prediction, reference, spacing, tolerance), abs=1e-4)
        assert {type(value) for value in ours} == {float}


@pytest.mark.parametrize("seed", range(6))
def test_follow_the_definition(seed):
    grid, spacing = ((6, 7, 5), (2.0, 0.5, 1.1)) if seed % 2 else ((9, 8), (1.3, 0.6))
    prediction, reference = _blobs(grid, seed, 1.0)
    prediction[(0,) * len(grid)] = reference[(-1,) * len(grid)] = True
    points = [np.array(list(_boundary(mask))) * spacing for mask in (prediction, reference)]
    apart = cdist(*points)
    there, back = apart.min(1), apart.min(0)
    found = surface_distances(prediction, reference, spacing)
    np.testing.assert_allclose(found.prediction_mm, there, atol=1e-12)
    np.testing.assert_allclose(found.reference_mm, back, atol=1e-12)
    assert found.hd95_mm() == pytest.approx(max(np.quantile(there, 0.95), np.quantile(back, 0.95)))
    assert found.assd_mm() == pytest.approx(np.concatenate([there, back]).mean())
    assert found.surface_dice(1.0) == pytest.approx((np.concatenate([there, back]) <= 1.0).mean())


def _boundary(mask):
    steps = [
        tuple(sign * (axis == other) for other in range(mask.ndim)) for axis in range(mask.ndim) for sign in (1, -1)
    ]
    inside = set(map(tuple, np.argwhere(mask).tolist()))
    for voxel in sorted(inside):
        if any(tuple(a + b for a, b in zip(voxel, step, strict=True)) not in inside for step in steps):
            yield voxel


@pytest.mark.parametrize("grid", [(1,), (2, 1), (5, 6), (1, 1, 1), (4, 3, 5), (1, 7, 2)])
def test_the_boundary_is_what_an_erosion_takes_away(grid):
    for seed, density in itertools.product(range(5), (0.0, 0.5, 0.9, 1.0)):
        mask = np.random.default_rng(seed).random(grid) < density
        np.testing.assert_array_equal(surface_voxels(mask), mask & ~ndimage.binary_erosion(mask))


def test_two_voxels():
    prediction, reference = np.zeros((2, 9, 9, 9), dtype=bool)
    prediction[1, 2, 3] = reference[4, 2, 7] = True
    found = surface_distances(prediction, reference, (1.0, 2.0, 1.0))
    assert (found.hd95_mm(), found.assd_mm()) == (5.0, 5.0)
    assert (found.surface_dice(4.9), found.surface_dice(5.0)) == (0.0, 1.0)


def test_three_steps_of_a_tenth_are_within_three_tenths():
    prediction, reference = np.eye(1, 9, 2, dtype=bool), np.eye(1, 9, 5, dtype=bool)
    assert 0.1 * 3 > 0.3
    assert surface_distances(prediction, reference, (0.1, 0.1)).surface_dice(0.3) == 1.0
    assert surface_distances(prediction, reference, (0.1, 0.1)).surface_dice(0.299) == 0.0


@pytest.mark.parametrize("swap", [False, True])
def test_what_is_empty(swap):
    empty, full = np.zeros((2, 3, 4), dtype=bool), np.ones((2, 3, 4), dtype=bool)
    both = surface_distances(empty, empty, (1.0, 1.0, 1.0))
    assert (both.hd95_mm(), both.assd_mm(), both.surface_dice(1.0)) == (0.0, 0.0, 1.0)
    pair = (full, empty) if swap else (empty, full)
    one = surface_distances(*pair, (1.0, 1.0, 1.0))
    assert math.isnan(one.hd95_mm())
    assert math.isnan(one.assd_mm())
    assert one.surface_dice(1e9) == 0.0


def test_equal_masks_are_at_distance_zero():
    mask, _ = _blobs((8, 9, 10), 0)
    found = surface_distances(mask, mask, (1.0, 1.0, 3.0))
    assert (found.hd95_mm(), found.assd_mm(), found.surface_dice(0.0)) == (0.0, 0.0, 1.0)
