import cv2
import numpy as np
import pytest

from lit_medseg.errors import ConfigError, DataError
from lit_medseg.imaging.volume import flat_volume
from lit_medseg.preprocess.bright_foreground import BrightForeground
from lit_medseg.preprocess.clahe import Clahe
from lit_medseg.preprocess.eight_bit import EightBit
from lit_medseg.preprocess.percentile_rescale import PercentileRescale
from lit_medseg.preprocess.to_gray import ToGray
from lit_medseg.preprocess.to_rgb import ToRGB


def change(step, array):
    return step.change(flat_volume(array)).array


@pytest.fixture
def rgb():
    return np.random.default_rng(0).integers(0, 256, (3, 20, 30)).astype(np.uint8)


def test_to_gray_agrees_with_opencv(rgb):
    reference = cv2.cvtColor(np.ascontiguousarray(rgb.transpose(1, 2, 0)), cv2.COLOR_RGB2GRAY)
    gray = change(ToGray(), rgb)
    assert (gray.shape, gray.dtype) == ((1, 20, 30), np.uint8)
    assert np.abs(gray[0].astype(int) - reference).max() <= 1
    assert (gray[0] == reference).mean() > 0.99
    np.testing.assert_array_equal(change(ToGray(), gray), gray)


def test_to_rgb_repeats(rgb):
    np.testing.assert_array_equal(change(ToRGB(), rgb), rgb)
    np.testing.assert_array_equal(change(ToRGB(), rgb[:1]), np.stack([rgb[0]] * 3))


@pytest.mark.parametrize("step", [ToGray(), ToRGB()])
@pytest.mark.parametrize("channels", [2, 4])
def test_colour_steps_refuse_other_channels(step, channels):
    with pytest.raises(DataError, match=f"expected 1 or 3, got {channels}"):
        change(step, np.zeros((channels, 4, 4), np.uint8))


def test_percentile_rescale_by_hand():
    image = np.arange(101, dtype=np.uint16).reshape(1, 1, 101)
    scaled = change(PercentileRescale(10, 90), image)
    assert scaled.dtype == np.float32
    np.testing.assert_allclose(scaled[0, 0, [0, 10, 50, 90, 100]], [0, 0, 0.5, 1, 1])


def test_percentile_rescale_is_per_channel(rgb):
    both = change(PercentileRescale(), rgb)
    alone = np.concatenate([change(PercentileRescale(), rgb[channel : channel + 1]) for channel in range(3)])
    np.testing.assert_array_equal(both, alone)
    darker = change(PercentileRescale(), rgb.astype(np.float32) * 0.001 + 7)
    np.testing.assert_allclose(darker, both, atol=1e-3)


def test_percentile_rescale_of_flat_channels():
    assert not change(PercentileRescale(), np.full((1, 9, 9), 7, np.uint8)).any()
    few = np.zeros((1, 100, 100), np.uint8)
    few[0, 0, 0] = 9
    assert change(PercentileRescale(), few).sum() == 1


def test_percentile_rescale_refuses_order():
    with pytest.raises(ConfigError, match="low < high"):
        PercentileRescale(90, 10)


def test_eight_bit(rgb):
    assert change(EightBit(), rgb) is rgb
    wide = np.array([[[100, 1100, 600]]], np.uint16)
    np.testing.assert_array_equal(change(EightBit(), wide), np.array([[[0, 255, 128]]], np.uint8))
    assert not change(EightBit(), np.full((1, 3, 3), 2.5)).any()


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
def test_bright_foreground_inverts_bright_fields(dtype):
    top = 200
    dark = np.full((1, 20, 20), 10, dtype)
    dark[0, 5:9, 5:9] = top
    np.testing.assert_array_equal(change(BrightForeground(), dark), dark)
    bright = (dark.max() + dark.min() - dark).astype(dtype)
    inverted = change(BrightForeground(), bright)
    assert inverted.dtype == dtype
    assert inverted[0, 6, 6] > inverted[0, 0, 0]
    np.testing.assert_array_equal(change(BrightForeground(), inverted), inverted)


def test_clahe_takes_pictures_only(rgb):
    assert change(Clahe(), rgb).dtype == np.uint8
    assert change(Clahe(), rgb.astype(np.uint16) * 200).dtype == np.uint16
    with pytest.raises(DataError, match="EightBit"):
        change(Clahe(), rgb.astype(np.float32))
    with pytest.raises(ConfigError):
        Clahe(tiles=0)
