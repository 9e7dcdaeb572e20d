import numpy as np
import pytest

from lit_medseg.data.random_patch import random_patch


def case(grid):
    image = np.stack([np.arange(np.prod(grid)).reshape(grid)] * 2)
    return image, (image[:1] % 5 == 0).astype(np.uint8)


def rng(seed=0):
    return np.random.default_rng(seed)


@pytest.mark.parametrize("grid", [(20, 30), (5, 30), (3, 3), (1, 40), (9, 10, 11), (3, 20, 2)])
def test_image_and_mask_stay_together(grid):
    image, mask = case(grid)
    size = (8,) * len(grid)
    for seed in range(20):
        part, codes = random_patch(image, mask, size, 0.5, rng(seed))
        assert part.shape == (2, *size)
        assert codes.shape == (1, *size)
        np.testing.assert_array_equal(codes, part[:1] % 5 == 0)


def test_every_place_is_reached_and_none_outside():
    image, _ = case((6, 7))
    corners = {int(random_patch(image, None, (4, 4), 0, rng(seed))[0][0, 0, 0]) for seed in range(300)}
    assert corners == {row * 7 + column for row in range(3) for column in range(4)}


def test_foreground_share():
    image, _ = case((200, 200))
    mask = np.zeros((1, 200, 200), np.uint8)
    mask[0, 150, 20] = 2
    hits = [random_patch(image, mask, (16, 16), 0.7, rng(seed))[1].any() for seed in range(400)]
    assert abs(np.mean(hits) - 0.7) < 0.07
    assert random_patch(image, mask * 0, (16, 16), 1.0, rng())[0].shape == (2, 16, 16)


def test_foreground_pixel_is_anywhere_in_the_patch():
    image, _ = case((100, 100))
    mask = np.zeros((1, 100, 100), np.uint8)
    mask[0, 50, 50] = 1
    found = [np.argwhere(random_patch(image, mask, (4, 4), 1.0, rng(seed))[1][0])[0] for seed in range(300)]
    assert len({tuple(place) for place in found}) == 16


def test_whole_image_is_given_back():
    image, mask = case((8, 8))
    assert random_patch(image, mask, (8, 8), 1.0, rng())[0] is image
