import numpy as np
import pytest

from lit_medseg.data.padded_box import padded_box
from lit_medseg.data.placement import Placement, corner_around
from lit_medseg.data.random_patch import random_patch


def rng(seed=0):
    return np.random.default_rng(seed)


LOCATIONS = (np.full((30, 3), 1, np.int32), np.empty((0, 3), np.int32), np.full((10, 3), 3, np.int32))


@pytest.mark.parametrize(("classes", "share"), [("any", 0.75), ("balanced", 0.5)])
def test_classes(classes, share):
    placement, generator = Placement(1.0, classes), rng()
    drawn = [int(placement.centre(LOCATIONS, generator)[0]) for _ in range(4000)]
    assert set(drawn) == {1, 3}
    assert np.mean(np.array(drawn) == 1) == pytest.approx(share, abs=0.03)
    assert placement.centre((), rng()) is None
    assert placement.centre(LOCATIONS[1:2], rng()) is None


def test_every_voxel_is_drawn():
    locations = (np.arange(12, dtype=np.int32).reshape(4, 3), np.arange(20, 29, dtype=np.int32).reshape(3, 3))
    for classes in ("any", "balanced"):
        generator = rng()
        drawn = {tuple(Placement(1.0, classes).centre(locations, generator)) for _ in range(300)}
        assert drawn == {tuple(voxel) for voxels in locations for voxel in voxels}


def test_shares():
    assert Placement(0.3).share(7) == 0.3
    # nnU-Net: not (index < round(batch * (1 - share))).
    for batch, share in ((9, 0.33), (2, 0.33), (3, 0.33), (12, 0.5), (4, 0.0), (4, 1.0)):
        placement = Placement(share, which="last", batch_size=batch)
        expected = [float(not index < round(batch * (1 - share))) for index in range(batch)]
        assert [placement.share(position) for position in range(3 * batch)] == expected * 3


@pytest.mark.parametrize("grid", [(20, 30, 25), (5, 30, 25), (5, 6, 7), (8, 8, 8)])
def test_corners_keep_patches_inside(grid):
    size, seen = (8, 8, 8), set()
    for seed in range(300):
        corner = corner_around(None, grid, size, rng(seed))
        seen.add(corner)
        for start, side, length in zip(corner, size, grid, strict=True):
            assert start + side <= length and start >= 0 if side <= length else start == -((side - length) // 2)
    free = np.prod([max(0, length - 8) + 1 for length in grid])
    assert len(seen) > min(free, 300) * 0.5


def test_patches_stand_around_their_voxel():
    assert corner_around(np.array([10, 10]), (40, 40), (8, 9), rng()) == (6, 6)
    assert corner_around(np.array([1, 39]), (40, 40), (8, 9), rng()) == (0, 31)
    assert corner_around(np.array([1, 5]), (4, 40), (8, 9), rng()) == (-2, 1)


def test_boxes_are_zero_beyond_the_volume():
    volume = rng().standard_normal((2, 6, 7, 8)).astype(np.float32)

    def read(start, stop):
        assert min(start) >= 0
        return volume[(slice(None), *(slice(low, high) for low, high in zip(start, stop, strict=True)))]

    wide = np.pad(volume, [(0, 0), *[(9, 9)] * 3])
    for start, stop in (((1, 1, 1), (5, 6, 7)), ((-3, 2, -1), (4, 5, 11)), ((-9, -9, -9), (15, 16, 17))):
        where = tuple(slice(low + 9, high + 9) for low, high in zip(start, stop, strict=True))
        np.testing.assert_array_equal(padded_box(read, (6, 7, 8), start, stop), wide[(slice(None), *where)])


def test_pictures_can_be_balanced_too():
    mask = np.zeros((1, 60, 60), np.uint8)
    mask[0, :20, :20] = 1
    mask[0, 50, 50] = 2
    image = mask.astype(np.float32)
    for balanced, share in ((True, 0.5), (False, 1 / 401)):
        hits = [(random_patch(image, mask, (6, 6), 1.0, rng(seed), balanced)[1] == 2).any() for seed in range(300)]
        assert np.mean(hits) == pytest.approx(share, abs=0.08)
    planes = np.concatenate([mask == 1, mask == 2, mask == 3]).astype(np.uint8)
    hits = [random_patch(planes, planes, (6, 6), 1.0, rng(seed), True)[1][1].any() for seed in range(300)]
    assert np.mean(hits) == pytest.approx(0.5, abs=0.08)
    assert random_patch(image, mask * 0, (6, 6), 1.0, rng(), True)[0].shape == (1, 6, 6)
