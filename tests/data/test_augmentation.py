import pickle
from collections import Counter

import numpy as np
import pytest

from lit_medseg.data.augmentation import Augmentation
from lit_medseg.errors import ConfigError
from tests.data.fake_sets import FLIPS

BOTH = [
    {"class_path": f"albumentations.{name}", "init_args": {"p": 0.5}} for name in ("HorizontalFlip", "VerticalFlip")
]


def arrays(channels=3, dtype=np.uint8):
    rng = np.random.default_rng(0)
    image = rng.random((channels, 24, 30))
    image = (image * 255).astype(dtype) if dtype == np.uint8 else image.astype(dtype)
    return image, rng.integers(0, 3, (1, 24, 30)).astype(np.uint8)


def rng(seed):
    return np.random.default_rng(seed)


def test_flips_are_drawn_apart():
    # `Compose.set_random_seed` would give only two of the four.
    image = np.zeros((1, 4, 4), np.uint8)
    image[0, 0, 0] = 1
    augmentation = Augmentation(BOTH)
    corners = Counter(tuple(np.argwhere(augmentation(image, None, rng(seed))[0][0])[0].tolist()) for seed in range(400))
    assert set(corners) == {(0, 0), (0, 3), (3, 0), (3, 3)}
    assert min(corners.values()) > 70


@pytest.mark.parametrize("channels", [1, 2, 3, 5])
@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_keeps_layout_and_pairs_with_the_mask(channels, dtype):
    image, _ = arrays(channels, dtype)
    mask = (image[:1] > image.mean()).astype(np.uint8)
    augmentation = Augmentation(BOTH)
    for seed in range(8):
        moved, codes = augmentation(image, mask, rng(seed))
        assert moved.shape == image.shape
        assert moved.dtype == dtype
        np.testing.assert_array_equal(codes, moved[:1] > image.mean())


def test_masks_have_no_new_codes_and_planes_move_together():
    image, _ = arrays()
    planes = np.stack([arrays()[1][0] * 100] * 6).astype(np.uint8)
    augmentation = Augmentation(FLIPS)
    for seed in range(8):
        _, moved = augmentation(image, planes, rng(seed))
        assert set(np.unique(moved)) <= {0, 100, 200}
        assert moved.shape == planes.shape
        assert (moved == moved[:1]).all()


def test_follows_from_the_generator_alone():
    image, mask = arrays()
    first, second = Augmentation(FLIPS), Augmentation(FLIPS)
    for seed in (5, 6, 7):
        second(image, mask, rng(seed + 100))  # another history
    for seed in (3, 1, 2):
        for one, other in zip(first(image, mask, rng(seed)), second(image, mask, rng(seed)), strict=True):
            np.testing.assert_array_equal(one, other)
    again = pickle.loads(pickle.dumps(first))
    np.testing.assert_array_equal(again(image, mask, rng(9))[0], first(image, mask, rng(9))[0])


def test_leaves_its_input_alone():
    image, mask = arrays()
    image.setflags(write=False)
    mask.setflags(write=False)
    for seed in range(10):
        Augmentation(FLIPS)(image, mask, rng(seed))
        Augmentation(FLIPS)(image[:1], None, rng(seed))


def test_nothing_to_do_gives_the_same_arrays():
    image, mask = arrays()
    assert Augmentation([])(image, mask, rng(0)) == (image, mask)


def test_nested_transforms_as_data_or_made():
    noise = {"class_path": "albumentations.GaussNoise", "init_args": {"p": 1.0}}
    for inner in (noise, Augmentation([noise]).compose.transforms[0]):
        spec = {"class_path": "albumentations.OneOf", "init_args": {"transforms": [inner], "p": 1.0}}
        image, _ = arrays()
        changed = Augmentation([spec])(image, None, rng(0))[0]
        np.testing.assert_array_equal(changed, Augmentation([spec])(image, None, rng(0))[0])
        assert (changed != image).mean() > 0.5


@pytest.mark.parametrize(
    ("spec", "text"),
    [
        (
            {"class_path": "albumentations.HorizontalFlip", "init_args": {"prob": 0.5}},
            r"expected one of \['p'\], got 'prob'",
        ),
        ({"class_path": "albumentations.HorizontalFlop"}, "HorizontalFlop: no such transform"),
        ({"class_path": "albumentations.Affine", "init_args": {"scale": "big"}}, "Affine: unusable values"),
        ({"class_path": "albumentations.HorizontalFlip", "p": 0.5}, "expected class_path and init_args"),
        ("HorizontalFlip", "not a transform"),
    ],
)
def test_faults_are_named(spec, text):
    with pytest.raises(ConfigError, match=text):
        Augmentation([spec]).compose  # noqa: B018 - made on first use


def test_three_dimensions_are_refused():
    with pytest.raises(ConfigError, match="for pictures"):
        Augmentation(BOTH)(np.zeros((1, 4, 4, 4), np.uint8), None, rng(0))
