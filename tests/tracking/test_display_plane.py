"""Against nibabel's reading of affines, for every way a volume can be stored."""

import itertools

import nibabel as nib
import numpy as np
import pytest

from lit_medseg.imaging.volume import placed_volume
from lit_medseg.tracking.display_plane import display_plane

ORDERS = list(itertools.permutations(range(3)))
SIGNS = list(itertools.product((1, -1), repeat=3))


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("sliced", ["R", "A", "S"])
def test_a_person_sees_head_or_front_on_top_and_right_on_the_left(order, sliced):
    for signs in SIGNS:
        size = {"R": 2.0, "A": 2.0, "S": 2.0, sliced: 5.0}
        affine = np.eye(4)
        affine[:3, :3] = 0
        for axis, world in enumerate(order):
            affine[world, axis] = signs[axis] * size["RAS"[world]]
        affine[:3, :3] += 0.05  # oblique
        volume = placed_volume(np.zeros((1, 3, 4, 5)), affine)
        plane = display_plane(volume)
        # the world position of each voxel, cut like the image: rows run down the picture, columns across
        places = np.stack(np.meshgrid(*(np.arange(side) for side in volume.grid), indexing="ij"), -1)
        world = np.moveaxis(nib.affines.apply_affine(affine, places), -1, 0)
        shown = plane.cut(world, 0)
        down, across = shown[:, -1, 0] - shown[:, 0, 0], shown[:, 0, -1] - shown[:, 0, 0]
        expected = {"S": ("A", -1, "R", -1), "A": ("S", -1, "R", -1), "R": ("S", -1, "A", -1)}[sliced]
        assert np.argmax(np.abs(down)) == "RAS".index(expected[0])
        assert np.sign(down["RAS".index(expected[0])]) == expected[1]
        assert np.argmax(np.abs(across)) == "RAS".index(expected[2])
        assert np.sign(across["RAS".index(expected[2])]) == expected[3]
        assert plane.spacing_mm == pytest.approx((2.0, 2.0), abs=0.2)
