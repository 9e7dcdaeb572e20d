"""Grids are one grid, the same one turned, or another one, and the difference is told."""

import itertools
import math

import numpy as np
import pytest

from lit_medseg.errors import DataError
from lit_medseg.imaging.same_grid import grid_difference_mm, onto_grid
from lit_medseg.imaging.volume import Volume, flat_volume, placed_volume

AFFINE = np.array([[-0.1, 0.48, 0.9, 10], [0.3, 0.84, -0.53, -20], [2.9, -0.1, 0.3, 30], [0, 0, 0, 1]])


def turned(volume, order, flips):
    """The same voxels at the same points, stored in another order: built voxel by voxel."""
    grid = volume.grid
    shape = [grid[axis] for axis in order]
    array, affine = np.empty((1, *shape), volume.array.dtype), None

    def native(index):
        found = [0, 0, 0]
        for axis, place, flip in zip(order, index, flips, strict=True):
            found[axis] = grid[axis] - 1 - place if flip else place
        return found

    for index in np.ndindex(*shape):
        array[(0, *index)] = volume.array[(0, *native(index))]
    points = [volume.affine @ (*native(index), 1) for index in ((0, 0, 0), (1, 0, 0), (0, 1, 0), (0, 0, 1))]
    affine = np.column_stack([points[1] - points[0], points[2] - points[0], points[3] - points[0], points[0]])
    return placed_volume(array, affine)


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
def test_every_orientation_is_turned_back(order):
    mask = placed_volume(np.random.default_rng(0).integers(0, 9, (1, 4, 5, 6)), AFFINE)
    for flips in itertools.product([False, True], repeat=3):
        back = onto_grid(turned(mask, order, flips), mask, "m")
        np.testing.assert_array_equal(back.array, mask.array)
        np.testing.assert_allclose(back.affine, mask.affine, atol=1e-9)


def test_the_difference_is_that_of_the_farthest_corner():
    a = placed_volume(np.zeros((1, 4, 5, 6)), AFFINE)
    moved = AFFINE.copy()
    moved[1, 2] += 0.01
    moved[0, 3] += 0.02
    b = placed_volume(np.zeros((1, 4, 5, 6)), moved)
    points = [np.linalg.norm((AFFINE - moved) @ (*index, 1)) for index in np.ndindex(4, 5, 6)]
    assert grid_difference_mm(a, b) == pytest.approx(max(points))
    assert onto_grid(b, a, "m") is b


def test_another_grid_is_refused_with_its_difference():
    a = placed_volume(np.zeros((1, 4, 5, 6)), np.diag([3, 1, 1, 1.0]))
    moved = np.diag([3, 1, 1, 1.0])
    moved[2, 3] = 0.5
    text = r"^case: the mask lies on another grid than its image, expected at most 0\.2 mm .*got corners 0\.5 mm apart"
    with pytest.raises(DataError, match=text):
        onto_grid(placed_volume(a.array, moved), a, "case")
    with pytest.raises(DataError, match=r"expected the shape \(4, 5, 6\), got \(4, 5, 7\)"):
        onto_grid(placed_volume(np.zeros((1, 4, 5, 7)), a.affine), a, "case")


def test_unknown_places():
    plain, placed = flat_volume(np.zeros((1, 4, 5, 6))), placed_volume(np.zeros((1, 4, 5, 6)), AFFINE)
    assert grid_difference_mm(plain, plain) == 0
    assert math.isinf(grid_difference_mm(plain, placed))
    with pytest.raises(DataError, match="a mask without a place in space"):
        onto_grid(plain, placed, "m")
    picture = flat_volume(np.zeros((1, 5, 6)))
    assert onto_grid(picture, picture, "m") is picture
    assert math.isinf(grid_difference_mm(picture, flat_volume(np.zeros((3, 6, 5)))))


@pytest.mark.parametrize(
    ("affine", "spacing"),
    [(np.eye(3), (1, 1, 1)), (np.full((4, 4), np.nan), (1, 1, 1)), (np.diag([2, 1, 1, 1.0]), (1, 1, 1)),
     (np.array([[1, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 0], [0, 0, 0, 1.0]]), (1, 1, 1))],
)  # fmt: skip
def test_a_useless_affine_is_refused(affine, spacing):
    with pytest.raises(DataError, match="affine"):
        Volume(np.zeros((1, 2, 2, 2)), spacing, affine)
