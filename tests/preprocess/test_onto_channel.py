import os
from pathlib import Path

import numpy as np
import pytest
import SimpleITK

from lit_medseg.errors import DataError
from lit_medseg.imaging.read_volume import read_volume
from lit_medseg.imaging.volume import flat_volume, placed_volume
from lit_medseg.preprocess.canonical_orientation import CanonicalOrientation
from lit_medseg.preprocess.label_sizes import label_size_changes
from lit_medseg.preprocess.onto_channel import OntoChannel
from lit_medseg.preprocess.pipeline import Pipeline
from lit_medseg.preprocess.sample import Sample
from lit_medseg.preprocess.through_affine import codes_through, index_map
from tests.preprocess.volumes import blobs, oblique, placed


def tilted(affine, degrees=7.0):
    """The same place in space, turned a little around its middle."""
    angle = np.deg2rad(degrees)
    turn = np.eye(4)
    turn[:2, :2] = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
    return turn @ affine


def in_simpleitk(volume):
    """Our (d, h, w) to RAS+ is SimpleITK's (x, y, z) to LPS+."""
    image = SimpleITK.GetImageFromArray(volume.array[0])
    affine = np.diag([-1.0, -1.0, 1.0, 1.0]) @ volume.affine[:, [2, 1, 0, 3]]
    spacing = np.linalg.norm(affine[:3, :3], axis=0)
    image.SetSpacing(spacing.tolist())
    image.SetDirection((affine[:3, :3] / spacing).ravel().tolist())
    image.SetOrigin(affine[:3, 3].tolist())
    return image


@pytest.mark.parametrize("seed", range(3))
def test_agrees_with_simpleitk(seed):
    rng = np.random.default_rng(seed)
    base = oblique(seed, (1.0, 1.0, 1.0))
    reference = placed_volume(np.zeros((1, 18, 14, 16), np.float32), base)
    moving_affine = tilted(base) @ np.diag([2.0, 1.3, 1.5, 1.0])
    moving_affine[:3, 3] = base[:3, 3]
    moving = placed_volume(rng.random((1, 9, 11, 10)).astype(np.float32), moving_affine)
    after, trace = OntoChannel("t2").apply(Sample((moving, reference), channels=("adc", "t2")))
    ours = after.images[0]
    assert (ours.grid, trace, after.channels) == (reference.grid, {}, ("adc", "t2"))
    np.testing.assert_array_equal(ours.affine, reference.affine)
    theirs = SimpleITK.GetArrayFromImage(
        SimpleITK.Resample(
            in_simpleitk(moving), in_simpleitk(reference), SimpleITK.Transform(), SimpleITK.sitkLinear, -1.0
        )
    )
    # only between the outermost centres do both interpolate
    inside = np.isclose(ours.array[0], theirs, atol=1e-4)
    index = np.indices(reference.grid).reshape(3, -1)
    there = index_map(moving.affine, reference.affine)
    place = (there[:3, :3] @ index + there[:3, 3:]).reshape(3, *reference.grid)
    between = np.logical_and.reduce([(p > 0.01) & (p < n - 1.01) for p, n in zip(place, moving.grid, strict=True)])
    assert between.sum() > 200
    assert inside[between].all()
    beyond = np.logical_or.reduce([(p < -0.51) | (p > n - 0.49) for p, n in zip(place, moving.grid, strict=True)])
    assert beyond.any()
    assert (ours.array[0][beyond] == moving.array.min()).all()


def test_finer_channel_is_smoothed_first():
    rng = np.random.default_rng(0)
    fine = placed_volume(rng.normal(0, 1, (1, 40, 40, 40)).astype(np.float32), np.eye(4))
    coarse_affine = np.diag([4.0, 4.0, 4.0, 1.0])
    coarse_affine[:3, 3] = 1.5
    reference = placed_volume(np.zeros((1, 10, 10, 10)), coarse_affine)
    after, _ = OntoChannel("a").apply(Sample((reference, fine), channels=("a", "b")))
    assert after.images[1].array.std() < 0.3


def test_a_mask_on_the_reference_stays_untouched():
    image, mask = placed(0, (8, 9, 10), (2.0, 1.0, 1.0))
    other = placed(1, (5, 5, 5), (2.0, 1.0, 1.0))[0]
    pipeline = Pipeline((OntoChannel("t2"),))
    after, trace = pipeline.apply(Sample((other, image), mask, ("adc", "t2")))
    assert after.mask is mask
    assert after.images[1] is image
    np.testing.assert_array_equal(pipeline.invert(after.mask, trace).array, mask.array)


def test_without_a_mask_predictions_return_to_the_reference():
    image, _ = placed(0, (8, 9, 10), (2.0, 1.0, 1.0))
    other = placed(1, (5, 6, 7), (2.0, 1.0, 1.0))[0]
    pipeline = Pipeline((CanonicalOrientation(), OntoChannel("t2")))
    _, trace = pipeline.apply(Sample((other, image), channels=("adc", "t2")))
    assert trace.grid == image.grid
    np.testing.assert_allclose(trace.affine, image.affine)


def test_a_mask_on_another_channel_comes_over_and_back():
    base = oblique(4, (1.0, 1.0, 1.0))
    z, y, x = np.mgrid[:20, :24, :24]
    ball = (((z - 9) ** 2 + (y - 12) ** 2 + (x - 11) ** 2 < 49) * 1).astype(np.uint8)[None]
    ball[0, :, :, 11:] *= 2
    mask = placed_volume(ball, base)
    # the reference has the same place in space, other distances and a tilt around the ball
    shift = np.eye(4)
    shift[:3, 3] = -(tilted(base) @ [9, 12, 11, 1] - base @ [9, 12, 11, 1])[:3]
    reference = placed_volume(np.zeros((1, 30, 16, 30)), shift @ tilted(base) @ np.diag([0.7, 1.5, 0.8, 1.0]))
    pipeline = Pipeline((OntoChannel("t2"),))
    after, trace = pipeline.apply(Sample((reference, mask), mask, ("t2", "adc")))
    assert after.mask.grid == reference.grid
    assert set(np.unique(after.mask.array)) == {0, 1, 2}
    assert label_size_changes(trace).keys() == {"1", "2"}
    for code in (1, 2):
        before_mm3 = (ball == code).sum()
        after_mm3 = (after.mask.array == code).sum() * np.prod(reference.spacing_mm)
        assert abs(after_mm3 / before_mm3 - 1) < 0.05
    back = pipeline.invert(after.mask, trace)
    assert back.grid == mask.grid
    np.testing.assert_array_equal(back.affine, mask.affine)
    assert 2 * ((back.array > 0) & (ball > 0)).sum() / ((back.array > 0).sum() + (ball > 0).sum()) > 0.95
    planes = np.stack([after.mask.array[0] == code for code in range(3)]).astype(np.float32)
    soft = pipeline.invert(flat_volume(planes), trace).array
    np.testing.assert_allclose(soft.sum(axis=0), 1, atol=1e-5)
    assert (soft.argmax(axis=0) == ball[0]).mean() > 0.97


@pytest.mark.parametrize("seed", range(8))
def test_no_code_appears_and_none_of_a_voxel_vanishes(seed):
    _, codes = blobs(seed, (9, 11, 10), 4)
    source = oblique(seed, (1.0, 1.0, 1.0))
    target = tilted(source, 20) @ np.diag([1.5, 1.8, 1.4, 1.0])
    target[:3, 3] = source[:3, 3] + source[:3, :3].sum(axis=1) * 4 - target[:3, :3].sum(axis=1) * 4
    after = codes_through(codes, index_map(source, target), (14, 14, 14))
    assert set(np.unique(after)) <= set(np.unique(codes)) | {0}
    # what lies within the new field of view, away from its edge
    back = index_map(target, source)
    for code in np.unique(codes[codes > 0]):
        place = back[:3, :3] @ np.argwhere(codes[0] == code).T + back[:3, 3:]
        inside = ((place >= 0.5) & (place <= 12.5)).all(axis=0).sum()
        if inside >= abs(np.linalg.det(index_map(source, target)[:3, :3])):
            assert (after == code).any()


def test_a_label_outside_of_the_new_field_of_view_is_gone():
    codes = np.zeros((1, 10, 10, 10), np.uint8)
    codes[0, :3], codes[0, 7:] = 1, 2
    target = np.eye(4)
    target[0, 3] = 5
    np.testing.assert_array_equal(codes_through(codes, target, (5, 10, 10))[0, :, 0, 0], [0, 0, 2, 2, 2])


def test_a_label_at_the_edge_reaches_the_end_of_the_field_of_view():
    codes = np.ones((1, 6, 6, 6), np.uint8)
    fine = np.diag([0.5, 0.5, 0.5, 1.0])
    fine[:3, 3] = -0.25
    assert codes_through(codes, fine, (12, 12, 12)).all()


def test_refusals():
    image, _ = placed(0, (4, 4, 4), (1.0, 1.0, 1.0))
    other = placed(1, (4, 4, 5), (1.0, 1.0, 1.0))[0]
    with pytest.raises(DataError, match=r"'t2'.*adc"):
        Pipeline((OntoChannel("t2"),)).apply(Sample((image,), channels=("adc",)))
    with pytest.raises(DataError, match="without names"):
        OntoChannel("t2").apply(Sample((image,)))
    nowhere = flat_volume(other.array)
    with pytest.raises(DataError, match="adc"):
        OntoChannel("t2").apply(Sample((nowhere, image), channels=("adc", "t2")))


@pytest.mark.realdata
def test_prostatex_channels_come_onto_the_t2():
    series = Path(os.environ["LIT_MEDSEG_DATA"]) / "mri_prostatex_dicom" / "dicom" / "ProstateX-0000"
    t2, adc = (read_volume(next(series.glob(pattern))) for pattern in ("*t2tsetra*", "*DISTADC*"))
    after, _ = OntoChannel("t2").apply(Sample((t2, adc), channels=("t2", "adc")))
    ours = after.images[1]
    assert ours.grid == t2.grid != adc.grid
    wide = adc.with_array(adc.array.astype(np.float32))
    theirs = SimpleITK.GetArrayFromImage(SimpleITK.Resample(in_simpleitk(wide), in_simpleitk(t2)))
    covered = theirs > 0
    assert covered.mean() > 0.3
    # rounded to the ADC's whole numbers, and in SimpleITK's single steps of rounding
    assert np.percentile(np.abs(ours.array[0] - theirs)[covered], 99) <= 1.0
