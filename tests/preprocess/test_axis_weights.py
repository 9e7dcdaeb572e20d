import numpy as np
import pytest
import torch

from lit_medseg.preprocess.axis_weights import axis_weights, resample_along


@pytest.mark.parametrize(("old", "new"), [(7, 20), (50, 21), (9, 9), (1, 5), (6, 1), (300, 130), (100, 333)])
@pytest.mark.parametrize(("kernel", "mode"), [("linear", "bilinear"), ("cubic", "bicubic")])
def test_agrees_with_torch(old, new, kernel, mode):
    array = np.random.default_rng(0).random((3, old))
    ours = resample_along(array, 1, axis_weights(old, new, kernel))
    theirs = torch.nn.functional.interpolate(
        torch.from_numpy(array)[None, None], size=(3, new), mode=mode, antialias=True, align_corners=False
    )
    np.testing.assert_allclose(ours, theirs[0, 0].numpy(), atol=1e-12)


@pytest.mark.parametrize(("old", "new"), [(7, 20), (50, 21), (1, 4)])
def test_nearest_agrees_with_torch(old, new):
    array = np.random.default_rng(0).random((1, old))
    theirs = torch.nn.functional.interpolate(torch.from_numpy(array)[None], size=new, mode="nearest-exact")
    np.testing.assert_array_equal(resample_along(array, 1, axis_weights(old, new, "nearest")), theirs[0].numpy())


def test_area_averages_what_is_covered():
    array = np.random.default_rng(0).random((1, 12))
    ours = resample_along(array, 1, axis_weights(12, 4, "area"))
    np.testing.assert_allclose(ours, array.reshape(1, 4, 3).mean(axis=2))
    np.testing.assert_allclose(axis_weights(3, 2, "area"), [[2 / 3, 1 / 3, 0], [0, 1 / 3, 2 / 3]])


@pytest.mark.parametrize("axis", [0, 1, 2])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_every_axis(axis, dtype):
    array = np.random.default_rng(1).random((90, 91, 92)).astype(dtype)
    weights = axis_weights(array.shape[axis], 150, "cubic")
    ours = resample_along(array, axis, weights)
    plain = np.moveaxis(np.tensordot(weights, array, axes=(1, axis)), 0, axis)
    assert ours.dtype == dtype
    np.testing.assert_allclose(ours, plain, atol=1e-5 if dtype == np.float32 else 1e-12)
