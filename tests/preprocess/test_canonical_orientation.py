import nibabel as nib
import numpy as np
import pytest

from lit_medseg.errors import ConfigError
from lit_medseg.imaging.volume import flat_volume, placed_volume
from lit_medseg.preprocess.canonical_orientation import CanonicalOrientation
from lit_medseg.preprocess.pipeline import Pipeline
from lit_medseg.preprocess.sample import Sample
from tests.preprocess.volumes import oblique, placed


@pytest.mark.parametrize("seed", range(12))
def test_agrees_with_nibabel(seed):
    image, _ = placed(seed, (5, 6, 7), (3.0, 1.0, 0.8))
    ours = CanonicalOrientation("SAR").apply(Sample((image,)))[0].images[0]
    # nibabel counts (i, j, k): the same array with its axes the other way round
    theirs = nib.as_closest_canonical(nib.Nifti1Image(image.array[0].T, image.affine[:, [2, 1, 0, 3]]))
    np.testing.assert_array_equal(ours.array[0].T, np.asarray(theirs.dataobj))
    np.testing.assert_allclose(ours.affine[:, [2, 1, 0, 3]], theirs.affine, atol=1e-10)
    np.testing.assert_allclose(ours.spacing_mm, np.linalg.norm(ours.affine[:3, :3], axis=0))


@pytest.mark.parametrize("axes", ["SPL", "SAR", "RIA", "LSP"])
@pytest.mark.parametrize("seed", range(4))
def test_round_trip_is_exact(axes, seed):
    image, mask = placed(seed, (5, 1, 7), (3.0, 1.0, 0.8))
    pipeline = Pipeline((CanonicalOrientation(axes),))
    after, trace = pipeline.apply(Sample((image,), mask))
    np.testing.assert_array_equal(pipeline.invert(after.mask, trace).array, mask.array)
    np.testing.assert_array_equal(pipeline.invert(after.images[0], trace).array, image.array)


def test_says_where_the_axes_grow():
    affine = np.diag([-1.0, -1.0, 1.0, 1.0])[:, [2, 1, 0, 3]]  # d to the head, h to the back, w to the left
    volume = placed_volume(np.zeros((1, 2, 3, 4)), affine)
    before = Sample((volume,))
    after, trace = CanonicalOrientation().apply(before)
    assert after.images[0] is volume
    assert trace == {}
    assert "".join(nib.aff2axcodes(affine)) == "SPL"
    turned = CanonicalOrientation("LAI").apply(before)[0].images[0]
    assert "".join(nib.aff2axcodes(turned.affine)) == "LAI"


def test_each_volume_is_turned_by_its_own_affine():
    first, mask = placed(1, (4, 5, 6), (1.0, 1.0, 1.0))
    second = placed(2, (6, 4, 5), (1.0, 1.0, 1.0))[0]
    after, _ = CanonicalOrientation().apply(Sample((first, second), mask))
    assert {nib.aff2axcodes(volume.affine) for volume in (*after.images, after.mask)} == {("S", "P", "L")}


def test_unknown_place_and_pictures_stay():
    for volume in (flat_volume(np.zeros((1, 3, 4, 5))), flat_volume(np.zeros((3, 4, 5)))):
        after, trace = CanonicalOrientation().apply(Sample((volume,), volume))
        assert after.images[0] is volume
        assert trace == {}


@pytest.mark.parametrize("axes", ["SPP", "SP", "spl", "XYZ", "SIR"])
def test_refuses_what_is_no_orientation(axes):
    with pytest.raises(ConfigError, match="three letters"):
        CanonicalOrientation(axes)


def test_shear_is_taken_by_its_nearest_axes():
    affine = oblique(3, (1.0, 1.0, 1.0))
    affine[:3, 0] += 0.2 * affine[:3, 1]
    assert CanonicalOrientation().apply(Sample((placed_volume(np.zeros((1, 3, 3, 3)), affine),)))
