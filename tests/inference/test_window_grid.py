"""Where windows lie, against MONAI."""

import pytest
import torch
from monai.data.utils import compute_importance_map, dense_patch_slices
from monai.inferers.utils import _get_scan_interval

from lit_medseg.inference.window_grid import window_grid
from lit_medseg.inference.window_weights import WindowWeights, gaussian_weights

CASES = [
    ((182, 218, 182), (64, 64, 64), 0.5),
    ((40, 56, 40), (40, 56, 40), 0.5),
    ((65, 64, 200), (64, 64, 64), 0.75),
    ((31, 30), (7, 30), 0.99),
    ((100, 33), (32, 32), 0.0),
]


@pytest.mark.parametrize(("image", "patch", "overlap"), CASES)
def test_windows_are_monais_in_layers(image, patch, overlap):
    interval = _get_scan_interval(image, patch, len(image), (overlap,) * len(image))
    expected = {tuple(part.start for part in box) for box in dense_patch_slices(image, patch, interval)}
    grid = window_grid(image, patch, overlap)
    corners = list(grid.corners())
    assert set(corners) == expected
    assert len(corners) == len(expected) == len(grid)
    along = [corner[grid.axis] for corner in corners]
    assert along == sorted(along)


@pytest.mark.parametrize(("image", "patch", "overlap"), CASES[3:])
def test_covered_is_what_earlier_windows_reach(image, patch, overlap):
    grid = window_grid(image, patch, overlap)
    seen = torch.zeros(image, dtype=torch.bool)
    for corner in grid.corners():
        own = seen[grid.box(corner)]
        fresh = tuple(slice(covered, None) for covered in grid.covered(corner))
        assert not own[fresh].any()
        own[fresh] = True
        assert own.all()
    assert seen.all()


@pytest.mark.parametrize("patch", [(64, 64, 64), (12, 40), (1, 5, 8)])
def test_weights_are_monais(patch):
    expected = compute_importance_map(patch, mode="gaussian", sigma_scale=0.125)
    torch.testing.assert_close(gaussian_weights(patch, torch.device("cpu")), expected, rtol=1e-6, atol=0)


@pytest.mark.parametrize(("image", "patch", "overlap"), [CASES[2], *CASES[4:], ((30, 20, 25), (8, 20, 9), 0.6)])
def test_shares_sum_to_one(image, patch, overlap):
    grid = window_grid(image, patch, overlap)
    weights = WindowWeights(grid, torch.device("cpu"))
    total = torch.zeros(image)
    for corner in grid.corners():
        total[grid.box(corner)] += weights.shares(corner)
    torch.testing.assert_close(total, torch.ones(image))
