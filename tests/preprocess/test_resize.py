import numpy as np
import pytest
import torch

from lit_medseg.errors import ConfigError, DataError
from lit_medseg.imaging.volume import Volume, flat_volume
from lit_medseg.preprocess.resample_grid import codes_onto, intensities_onto
from lit_medseg.preprocess.resize import Resize, ResizeWithin
from lit_medseg.preprocess.sample import Sample


def test_enlarging_agrees_with_torch():
    array = np.random.default_rng(0).random((2, 7, 9)).astype(np.float32)
    ours = intensities_onto(flat_volume(array), (20, 31)).array
    theirs = torch.nn.functional.interpolate(torch.from_numpy(array)[None], size=(20, 31), mode="bilinear")[0].numpy()
    np.testing.assert_allclose(ours, theirs, atol=1e-5)


def test_shrinking_averages_areas():
    array = np.random.default_rng(0).random((1, 12, 16)).astype(np.float32)
    ours = intensities_onto(flat_volume(array), (4, 4)).array
    np.testing.assert_allclose(ours, array.reshape(1, 4, 3, 4, 4).mean(axis=(2, 4)), atol=1e-6)


def test_codes_go_to_the_label_that_covers_most():
    mask = np.zeros((1, 6, 6), np.uint8)
    mask[0, :2, :2] = [[5, 5], [5, 0]]
    mask[0, 2:4, 2:4] = [[1, 2], [2, 7]]
    small = codes_onto(flat_volume(mask), (3, 3)).array
    np.testing.assert_array_equal(small[0], [[5, 0, 0], [0, 2, 0], [0, 0, 0]])


def test_planes_stay_apart():
    planes = np.zeros((2, 8, 8), np.uint8)
    planes[0, :4], planes[1, :, :4] = 1, 1
    small = codes_onto(flat_volume(planes), (4, 4)).array
    np.testing.assert_array_equal(small[0], np.repeat([1, 1, 0, 0], 4).reshape(4, 4))
    np.testing.assert_array_equal(small[1], small[0].T)


def test_place_in_space_is_kept():
    affine = np.array([[0, 2.0, 0, 10], [3.0, 0, 0, 20], [0, 0, 1, 30], [0, 0, 0, 1]])
    volume = Volume(np.zeros((1, 10, 8), np.uint8), (3.0, 2.0), affine)
    resized = intensities_onto(volume, (5, 16))
    assert resized.spacing_mm == (6.0, 1.0)

    def corners(grid, matrix):
        ends = np.array([[a, b, 0, 1] for a in (-0.5, grid[0] - 0.5) for b in (-0.5, grid[1] - 0.5)])
        return ends @ matrix.T

    np.testing.assert_allclose(corners((5, 16), resized.affine), corners((10, 8), affine))


@pytest.mark.parametrize(
    ("grid", "wanted"), [((100, 50), (40, 20)), ((50, 100), (20, 40)), ((40, 30), (40, 30)), ((1000, 3), (40, 1))]
)
def test_resize_within(grid, wanted):
    assert ResizeWithin(40).wanted(grid) == wanted


def test_disc_returns_from_a_smaller_grid():
    rows, columns = np.mgrid[:90, :120]
    mask = (((rows - 40) / 25) ** 2 + ((columns - 60) / 30) ** 2 < 1).astype(np.uint8)[None]
    step = Resize(48, 48)
    small, trace = step.apply(Sample((flat_volume(mask * 255),), flat_volume(mask)))
    soft = small.images[0].array.astype(np.float32) / 255
    back = step.invert(small.images[0].with_array(soft), trace).array > 0.5
    dice = 2 * (back & (mask == 1)).sum() / (back.sum() + mask.sum())
    assert dice > 0.98
    # No shift: the centres of mass agree to a fraction of a pixel.
    np.testing.assert_allclose(np.argwhere(back[0]).mean(axis=0), np.argwhere(mask[0]).mean(axis=0), atol=0.1)


def test_refusals():
    with pytest.raises(ConfigError):
        Resize(0, 4)
    with pytest.raises(ConfigError):
        ResizeWithin(0)
    with pytest.raises(DataError, match="two spatial"):
        Resize(4, 4).apply(Sample((flat_volume(np.zeros((1, 4, 4, 4), np.uint8)),)))
