import pickle

import numpy as np
import pytest
import torch
from scipy import ndimage, stats

from lit_medseg.augment.bias_field import BiasField, shade
from lit_medseg.augment.brightness import Brightness
from lit_medseg.augment.brightness_shift import BrightnessShift
from lit_medseg.augment.contrast import Contrast
from lit_medseg.augment.drawing import about_one
from lit_medseg.augment.gamma import Gamma, bend_response
from lit_medseg.augment.gaussian_blur import GaussianBlur, blur_axis
from lit_medseg.augment.gaussian_noise import GaussianNoise
from lit_medseg.augment.low_resolution import LowResolution, coarsen
from lit_medseg.augment.normal_noise import normal_noise
from lit_medseg.errors import ConfigError

KINDS = [GaussianNoise, GaussianBlur, Brightness, BrightnessShift, Contrast, Gamma, LowResolution, BiasField]
CPU = torch.device("cpu")


def rng(seed=0):
    return np.random.default_rng(seed)


def image(size=(9, 12, 11), channels=2, seed=0):
    return torch.from_numpy(rng(seed).standard_normal((channels, *size)).astype(np.float32))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("size", "spacing"), [((12, 13), (1, 1)), ((9, 12, 7), (1, 1, 1)), ((1, 8, 8), (5, 1, 1))])
def test_contract(kind, size, spacing):
    """Shares hold, draws depend on the generator alone, travel between processes, and change the image in place."""
    generator = rng(3)
    share = np.mean([kind(probability=0.3).maybe(generator, 2, spacing) is not None for _ in range(2000)])
    assert share == pytest.approx(0.3, abs=0.04)
    change = kind(probability=1.0).maybe(rng(5), 3, spacing)
    again = pickle.loads(pickle.dumps(kind(probability=1.0).maybe(rng(5), 3, spacing)))
    first, second, before = image(size, 3), image(size, 3), image(size, 3)
    memory = first.data_ptr()
    change(first)
    again(second)
    assert first.data_ptr() == memory
    assert first.isfinite().all()
    assert torch.equal(first, second)
    assert not torch.equal(first, before)
    other = image(size, 3)
    kind(probability=1.0).maybe(rng(6), 3, spacing)(other)
    assert not torch.equal(first, other)


@pytest.mark.parametrize("kind", KINDS)
def test_a_flat_image_stays_finite(kind):
    flat = torch.full((2, 5, 6, 7), 3.0)
    for seed in range(5):
        kind(probability=1.0).draw(rng(seed), 2, (1, 1, 1))(flat)
    assert flat.isfinite().all()


def test_about_one_is_balanced():
    generator = rng()
    drawn = np.array([about_one(generator, (0.7, 1.5)) for _ in range(4000)])
    assert (drawn < 1).mean() == pytest.approx(0.5, abs=0.03)
    assert 0.7 <= drawn.min() < 0.71
    assert 1.49 < drawn.max() <= 1.5
    assert all(1.2 <= about_one(generator, (1.2, 1.3)) <= 1.3 for _ in range(20))


def test_noise_is_normal_and_white():
    noise = normal_noise((50, 60, 70), 12345, CPU).double().numpy()
    assert stats.kstest(noise.ravel()[::3], "norm").pvalue > 0.01
    assert noise.mean() == pytest.approx(0, abs=0.01)
    assert noise.std() == pytest.approx(1, abs=0.005)
    assert stats.kurtosis(noise.ravel()) == pytest.approx(0, abs=0.05)
    for axis in range(3):
        for lag in (1, 2, 5):
            assert abs((noise * np.roll(noise, lag, axis)).mean()) < 0.01
    flat = noise.ravel()
    assert abs((flat[: flat.size // 2] * flat[flat.size // 2 :]).mean()) < 0.01  # the two halves of Box and Muller
    assert abs((flat[: flat.size // 2] ** 2 * flat[flat.size // 2 :] ** 2).mean() - 1) < 0.03


def test_noise_of_neighbouring_seeds_is_independent():
    streams = [normal_noise((4001,), seed, CPU).numpy() for seed in (0, 1, 2, 2**32, 2**32 + 1, 2**63 - 1)]
    correlation = np.corrcoef(streams) - np.eye(len(streams))
    assert np.abs(correlation).max() < 0.06
    assert streams[0].shape == (4001,)


def test_noise_has_the_drawn_deviation():
    flat = torch.zeros(1, 60, 60, 60)
    GaussianNoise(1.0, (0.25, 0.25)).draw(rng(), 1, (1, 1, 1))(flat)
    assert float(flat.std()) == pytest.approx(0.25, rel=0.01)


@pytest.mark.parametrize("sigma", [0.5, 0.77, 1.0, 2.3])
@pytest.mark.parametrize("axis", [0, 1, 2])
def test_blur_equals_scipy(sigma, axis):
    array = image((12, 15, 18), 1)[0]
    # scipy's `mirror` does not repeat the border voxel either.
    radius = min(int(np.ceil(3 * sigma)), array.shape[axis] - 1)
    expected = ndimage.gaussian_filter1d(array.double().numpy(), sigma, axis, mode="mirror", radius=radius)
    np.testing.assert_allclose(blur_axis(array, axis, sigma), expected, atol=1e-5)


def test_blur_of_thin_axes_and_coarse_spacing():
    thin = image((1, 6, 2), 1)[0]
    assert torch.equal(blur_axis(thin, 0, 1.0), thin)
    assert blur_axis(thin, 2, 5.0).shape == thin.shape
    widths = GaussianBlur(1.0, (0.8, 0.8), 1.0).draw(rng(), 1, (4.0, 1.0, 2.0)).keywords["sigmas"][0]
    assert widths == pytest.approx([0.2, 0.8, 0.4])


def test_channels_of_blur_and_resolution_are_drawn():
    for kind in (GaussianBlur, LowResolution):
        drawn = [len(next(iter(kind(1.0).draw(rng(seed), 4, (1, 1)).keywords.values()))) for seed in range(500)]
        assert np.mean(drawn) == pytest.approx(2, abs=0.15)
        assert set(drawn) == {0, 1, 2, 3, 4}


def test_brightness_and_shift():
    before, after = image(), image()
    change = Brightness(1.0).draw(rng(), 2, (1, 1, 1))
    change(after)
    factors = change.keywords["factors"]
    assert factors[0] != factors[1]
    for channel, factor in enumerate(factors):
        np.testing.assert_allclose(after[channel], before[channel] * factor, rtol=1e-6)
    after = image()
    change = BrightnessShift(1.0, (0.5, 0.6)).draw(rng(), 2, (1, 1, 1))
    change(after)
    np.testing.assert_allclose((after - before).mean((1, 2, 3)), change.keywords["shifts"], rtol=1e-5)


def test_contrast_equals_its_formula():
    before, after = image(), image()
    Contrast.change(after, [1.2, 0.8])
    for channel, factor in enumerate((1.2, 0.8)):
        array = before[channel].double().numpy()
        expected = np.clip((array - array.mean()) * factor + array.mean(), array.min(), array.max())
        np.testing.assert_allclose(after[channel], expected, atol=1e-5)


@pytest.mark.parametrize("inverted", [False, True])
@pytest.mark.parametrize("exponent", [0.7, 1.5])
def test_gamma_equals_its_formula(inverted, exponent):
    before, after = image((10, 14)), image((10, 14))
    bend_response(after, [exponent, 1.0], inverted)
    array = before[0].double().numpy() * (-1 if inverted else 1)
    low, high = array.min(), array.max()
    power = ((array - low) / (high - low)) ** exponent * (high - low) + low
    power = (power - power.mean()) / power.std() * array.std() + array.mean()
    np.testing.assert_allclose(after[0], power * (-1 if inverted else 1), atol=2e-5)
    np.testing.assert_allclose(after[1], before[1], atol=2e-6)
    np.testing.assert_allclose(after.mean((1, 2)), before.mean((1, 2)), atol=1e-5)
    np.testing.assert_allclose(after.std((1, 2)), before.std((1, 2)), atol=1e-5)


def test_low_resolution_equals_independent_sampling():
    line = image((1, 12), 1)
    before = line.clone()
    coarsen(line, {0: [1.0, 0.5]})
    small = before[0, 0].numpy()[1::2]  # nearest-exact: the voxel over the middle, 2 i + 1
    places = np.clip((np.arange(12) + 0.5) / 2 - 0.5, 0, 5)
    np.testing.assert_allclose(line[0, 0], np.interp(places, np.arange(6), small), atol=1e-6)
    untouched = image()
    coarsen(untouched, {1: [1.0, 1.0, 1.0]})
    assert torch.equal(untouched, image())
    kept = LowResolution(1.0, (0.5, 0.5), 1.0).draw(rng(), 1, (5.0, 1.0, 1.0)).keywords["factors"][0]
    assert kept == [1.0, 0.5, 0.5]


def test_bias_field_equals_its_formula():
    before, after = image((5, 6, 7)), image((5, 6, 7))
    shade(after, {(1, 0, 0): 0.3, (1, 0, 2): -0.2, (0, 3, 0): 0.1})
    grid = np.meshgrid(*(np.linspace(-1, 1, side) for side in (5, 6, 7)), indexing="ij")
    field = np.exp(0.3 * grid[0] - 0.2 * grid[0] * grid[2] ** 2 + 0.1 * grid[1] ** 3)
    low = before.amin((1, 2, 3), keepdim=True)
    np.testing.assert_allclose(after, (before - low).numpy() * field + low.numpy(), atol=1e-5)
    terms = BiasField(1.0, (0.2, 0.2)).draw(rng(), 1, (1, 1, 1)).keywords["terms"]
    assert len(terms) == 19
    assert max(map(abs, terms.values())) <= 0.2


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda: GaussianNoise(std=(-1, 0)), "GaussianNoise.std"),
        (lambda: GaussianBlur(channel_probability=2), "GaussianBlur.channel_probability"),
        (lambda: Brightness(factor=(-1, 1)), "Brightness.factor"),
        (lambda: BrightnessShift(shift=(1, 0)), "BrightnessShift.shift"),
        (lambda: Contrast(probability=-0.1), "Contrast.probability"),
        (lambda: Gamma(exponent=(0, 1)), "Gamma.exponent"),
        (lambda: LowResolution(factor=(0.5, 2)), "LowResolution.factor"),
        (lambda: BiasField(order=0), "BiasField.order"),
    ],
)
def test_refusals(make, text):
    with pytest.raises(ConfigError, match=text):
        make()
