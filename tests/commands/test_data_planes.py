"""Left is left: planes are hung as radiologists hang them, however the file stores the volume."""

from itertools import permutations, product

import numpy as np
import pytest

from lit_medseg.commands.data_fingerprint import orientation
from lit_medseg.commands.data_planes import hang, planes
from lit_medseg.imaging.volume import Volume, flat_volume
from lit_medseg.preprocess.sample import Sample

STORED = [(order, signs) for order in permutations(range(3)) for signs in product((1, -1), repeat=3)]


def stored(order, signs):
    """A volume 8 x 10 x 12 mm in size with one bright voxel far right, far in front and far up in the patient."""
    size_mm, spacing = (8, 10, 12), (1.0, 2.0, 3.0)  # world axes right, front, up
    shape = tuple(int(size_mm[world] / spacing[world]) for world in order)
    affine = np.zeros((4, 4))
    affine[3, 3] = 1
    corner = []
    for axis, world in enumerate(order):
        affine[world, axis] = signs[axis] * spacing[world]
        corner.append(shape[axis] - 1 if signs[axis] > 0 else 0)
    array = np.zeros(shape, np.int16)
    array[tuple(corner)] = 100
    return Volume(array[None], tuple(spacing[world] for world in order), affine)


@pytest.mark.parametrize(("order", "signs"), STORED)
def test_right_is_left_and_front_and_head_are_up(order, signs):
    volume = stored(order, signs)
    mask = volume.with_array((volume.array > 0).astype(np.uint8))
    axial, coronal, sagittal = planes(Sample((volume,), mask))
    for plane in (axial, coronal, sagittal):
        assert plane.image[0, 0] == 100
        assert plane.codes[0, 0, 0] == 1
        assert np.count_nonzero(plane.image) == 1
    assert [plane.image.shape for plane in (axial, coronal, sagittal)] == [(5, 8), (4, 8), (4, 5)]
    assert [plane.aspect for plane in (axial, coronal, sagittal)] == [2.0, 3.0, 1.5]
    assert [plane.sides for plane in (axial, coronal, sagittal)] == [("R", "A"), ("R", "S"), ("A", "S")]


@pytest.mark.parametrize(("order", "signs"), STORED)
def test_hanging_moves_no_voxel_in_the_patient(order, signs):
    volume = stored(order, signs)
    hung = hang(volume)
    places = [(one.affine @ [*np.argwhere(one.array[0])[0], 1])[:3] for one in (volume, hung)]
    np.testing.assert_allclose(places[0], places[1])
    assert orientation(hung) == "IPL"
    letters = "".join("RAS"[world] if sign > 0 else "LPI"[world] for world, sign in zip(order, signs, strict=True))
    assert orientation(volume) == letters


def test_other_channels_are_cut_at_the_same_place():
    volume = stored((2, 1, 0), (1, 1, 1))
    fine = Volume(np.repeat(np.repeat(np.repeat(volume.array, 2, 1), 2, 2), 2, 3), (1.5, 1.0, 0.5), None)
    affine = volume.affine.copy()
    affine[:3, :3] /= 2
    affine[:3, 3] -= affine[:3, :3].sum(axis=1) / 2
    fine = Volume(fine.array, fine.spacing_mm, affine)
    mask = volume.with_array((volume.array > 0).astype(np.uint8))
    shown = planes(Sample((fine, volume), mask, channels=("fine", "own")))
    assert [plane.title for plane in shown] == ["axial", "coronal", "sagittal", "fine"]
    assert shown[3].image.shape == shown[0].image.shape
    assert shown[3].image[0, 0] == 100
    assert np.count_nonzero(shown[3].image[1:]) == 0


def test_volumes_without_a_place_and_pictures():
    plain = planes(Sample((flat_volume(np.ones((1, 4, 5, 6))),)))
    assert [plane.title for plane in plain] == ["along axis 0", "along axis 1", "along axis 2"]
    assert plain[0].sides == ("", "")
    (picture,) = planes(Sample((flat_volume(np.ones((3, 5, 6), np.uint8)),)))
    assert picture.image.shape == (5, 6, 3)
