"""Stains that change as stains do."""

import numpy as np
import pytest

from lit_medseg.augment.hed_jitter import STAINS, HEDJitter, change_stains
from lit_medseg.data.augmentation import Augmentation
from lit_medseg.errors import ConfigError

PATH = "lit_medseg.augment.hed_jitter.HEDJitter"


def stained(seed=0, size=24):
    """Amounts of haematoxylin, eosin and DAB, and the light that passes them."""
    amounts = np.random.default_rng(seed).uniform(0, 0.5, (size, size, 3))
    return amounts, 10.0 ** -(amounts @ STAINS)


def test_amounts_are_multiplied_and_shifted():
    amounts, light = stained()
    changed = change_stains(light.astype(np.float32), [1.1, 0.8, 1.0], [0.02, 0.0, -0.01])
    expected = 10.0 ** -((amounts * [1.1, 0.8, 1.0] + [0.02, 0.0, -0.01]) @ STAINS)
    np.testing.assert_allclose(changed, np.clip(expected, 0, 1), atol=2e-6)
    assert changed.dtype == np.float32


def test_eight_bits_are_the_same_up_to_rounding():
    _, light = stained()
    eight = np.rint(light * 255).astype(np.uint8)
    for factors, shifts in (([1.2, 0.9, 1.05], [0.05, -0.05, 0]), ([0.8, 0.8, 0.8], [-0.2, -0.2, -0.2])):
        changed = change_stains(eight, factors, shifts)
        exact = change_stains((eight / 255).astype(np.float32), factors, shifts)
        assert changed.dtype == np.uint8
        assert np.abs(changed - exact * 255).max() <= 0.501


def test_nothing_drawn_is_nothing_changed():
    every = np.random.default_rng(0).integers(0, 256, (64, 64, 3)).astype(np.uint8)
    every[0, 0], every[0, 1] = 0, 255
    assert np.array_equal(change_stains(every, [1, 1, 1], [0, 0, 0]), every)
    floats = (every / 255).astype(np.float32)
    assert np.array_equal(change_stains(floats, [1, 1, 1], [0, 0, 0]), floats)


def test_black_stays_black_and_white_takes_only_shifts():
    image = np.zeros((2, 2, 3), np.uint8)
    image[1] = 255
    factors_only = change_stains(image, [1.2, 0.8, 1.1], [0, 0, 0])
    assert np.array_equal(factors_only, image)
    darker = change_stains(image, [1, 1, 1], [0.05, 0.05, 0.05])
    assert (darker[0] == 0).all()
    assert (darker[1] < 255).all()


class TestInARow:
    def test_draws_are_the_generators_and_within_the_ranges(self):
        image = np.full((3, 8, 8), 140, np.uint8)
        jitter = Augmentation([{"class_path": PATH, "init_args": {"p": 1.0}}])
        one, again, other = (jitter(image, None, np.random.default_rng(seed))[0] for seed in (1, 1, 2))
        assert np.array_equal(one, again)
        assert not np.array_equal(one, other)
        drawn = [HEDJitter(factor_limit=(-0.2, 0.1), shift_limit=(0, 0.03)).get_params() for _ in range(200)]
        factors = np.array([each["factors"] for each in drawn])
        shifts = np.array([each["shifts"] for each in drawn])
        assert factors.min() >= 0.8
        assert factors.max() <= 1.1
        assert factors.std(axis=0).min() > 0.05
        assert shifts.min() >= 0
        assert shifts.max() <= 0.03

    def test_probability_holds(self):
        image = np.full((3, 8, 8), 140, np.uint8)
        jitter = Augmentation([{"class_path": PATH, "init_args": {"p": 0.3}}])
        changed = [not np.array_equal(jitter(image, None, np.random.default_rng(s))[0], image) for s in range(300)]
        assert 0.2 < np.mean(changed) < 0.4

    def test_masks_pass(self):
        mask = np.random.default_rng(0).integers(0, 3, (1, 8, 8)).astype(np.uint8)
        _, after = Augmentation([{"class_path": PATH, "init_args": {"p": 1.0}}])(
            np.full((3, 8, 8), 140, np.uint8), mask, np.random.default_rng(0)
        )
        assert np.array_equal(after, mask)

    @pytest.mark.parametrize(
        "wrong", [{"factor_limit": [0.1, -0.1]}, {"shift_limit": [-2, 0]}, {"p": 2}, {"shifts": 1}]
    )
    def test_wrong_values_are_named(self, wrong):
        with pytest.raises(ConfigError, match=next(iter(wrong))):
            _ = Augmentation([{"class_path": PATH, "init_args": wrong}]).compose

    def test_gray_is_refused(self):
        jitter = Augmentation([{"class_path": PATH, "init_args": {"p": 1.0}}])
        with pytest.raises(ValueError, match="expected 3 channels, got 1"):
            jitter(np.zeros((1, 8, 8), np.uint8), None, np.random.default_rng(0))
