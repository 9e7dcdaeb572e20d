import numpy as np
import pytest
import SimpleITK

from lit_medseg.errors import ConfigError, DataError
from lit_medseg.imaging.volume import Volume, flat_volume, placed_volume
from lit_medseg.preprocess.label_sizes import label_size_changes, label_sizes
from lit_medseg.preprocess.median_spacing import median_spacing_mm
from lit_medseg.preprocess.pipeline import Pipeline
from lit_medseg.preprocess.resample_planes import resample_codes
from lit_medseg.preprocess.resample_to import ResampleTo
from lit_medseg.preprocess.sample import Sample
from tests.preprocess.volumes import oblique, placed

SHAPES = [(9, 17, 14), (1, 13, 20), (21, 1, 8), (5, 33, 2), (12, 12, 12)]


@pytest.mark.parametrize("seed", range(5))
def test_own_spacing_is_the_identity(seed):
    image, mask = placed(seed, SHAPES[seed], (2.5, 0.7, 1.1))
    before = Sample((image,), mask)
    after, trace = ResampleTo((2.5, 0.7, 1.1)).apply(before)
    assert after is before
    assert trace == {}
    assert ResampleTo().fit([before]).apply(before)[0] is before


def test_reaches_the_spacing_and_keeps_the_field_of_view():
    image, mask = placed(0, (40, 60, 50), (2.0, 0.8, 0.8))
    after, _ = ResampleTo((1.0, 1.0, 1.6)).apply(Sample((image,), mask))
    assert after.images[0].grid == after.mask.grid == (80, 48, 25)
    np.testing.assert_allclose(after.images[0].spacing_mm, (1.0, 1.0, 1.6))
    assert (after.images[0].array.dtype, after.mask.array.dtype) == (np.int16, np.uint8)


def test_channels_whose_spacings_are_rounded_otherwise_stay_on_one_grid():
    images = [placed_volume(np.zeros((1, 9, 8, 7), np.int16), np.diag([mm, 1, 1, 1])) for mm in (1.0, 1 - 1e-6)]
    after, _ = ResampleTo((2.0, 1.0, 1.0)).apply(Sample(tuple(images)))
    assert [image.grid for image in after.images] == [(4, 8, 7), (4, 8, 7)]
    images[0] = placed_volume(images[0].array, np.diag([1 + 1e-6, 1, 1, 1]))
    after, _ = ResampleTo((2.0, 1.0, 1.0)).apply(Sample(tuple(images)))
    assert [image.grid for image in after.images] == [(4, 8, 7), (4, 8, 7)]


def test_linear_agrees_with_simpleitk():
    rng = np.random.default_rng(0)
    array = rng.random((1, 12, 15, 18)).astype(np.float32)
    image = placed_volume(array, np.diag([2.0, 1.5, 1.0, 1.0]))
    ours = ResampleTo((1.2, 1.0, 0.7), "linear").apply(Sample((image,)))[0].images[0]
    theirs = SimpleITK.GetImageFromArray(array[0])
    theirs.SetSpacing((1.0, 1.5, 2.0))
    resampler = SimpleITK.ResampleImageFilter()
    resampler.SetSize([int(side) for side in reversed(ours.grid)])
    resampler.SetOutputSpacing([float(mm) for mm in reversed(ours.spacing_mm)])
    resampler.SetOutputOrigin([float(mm) for mm in ours.affine[2::-1, 3]])
    resampler.SetInterpolator(SimpleITK.sitkLinear)
    expected = SimpleITK.GetArrayFromImage(resampler.Execute(theirs))
    inner = (slice(2, -2),) * 3
    np.testing.assert_allclose(ours.array[0][inner], expected[inner], atol=1e-5)


def test_cubic_stays_within_the_range_and_beats_linear():
    z, y, x = np.mgrid[:20, :20, :20]
    wave = (np.sin(z / 2.5) * np.cos(y / 2.5) * np.sin(x / 2.5)).astype(np.float32)[None]
    fine = (np.mgrid[:40, :40, :40] + 0.5) / 2 - 0.5
    truth = np.sin(fine[0] / 2.5) * np.cos(fine[1] / 2.5) * np.sin(fine[2] / 2.5)
    volume, inner = placed_volume(wave, np.diag([2.0, 2.0, 2.0, 1.0])), (slice(4, -4),) * 3
    error = {}
    for order in ("linear", "cubic"):
        image = ResampleTo((1.0, 1.0, 1.0), order).apply(Sample((volume,)))[0].images[0].array[0]
        assert wave.min() <= image.min() <= image.max() <= wave.max()
        error[order] = np.abs(image - truth)[inner].max()
    assert error["cubic"] < error["linear"] / 3


def test_shrinking_does_not_alias():
    stripes = np.zeros((1, 8, 64, 64), np.float32)
    stripes[..., ::2] = 1.0
    volume = placed_volume(stripes, np.eye(4))
    for order in ("linear", "cubic"):
        image = ResampleTo((1.0, 3.1, 3.1), order).apply(Sample((volume,)))[0].images[0].array
        np.testing.assert_allclose(image[..., 2:-2], 0.5, atol=0.07)


def test_thick_slices_are_repeated_not_blended():
    image, mask = placed(3, (4, 20, 20), (6.0, 1.0, 1.0))
    after, trace = ResampleTo((2.0, 1.0, 1.0)).apply(Sample((image,), mask))
    np.testing.assert_array_equal(after.images[0].array, image.array.repeat(3, axis=1))
    np.testing.assert_array_equal(after.mask.array, mask.array.repeat(3, axis=1))
    blended = ResampleTo((2.0, 1.0, 1.0), across="linear").apply(Sample((image,), mask))[0]
    assert not np.array_equal(blended.images[0].array, after.images[0].array)
    fewer = ResampleTo((12.0, 1.0, 1.0)).apply(Sample((image,)))[0].images[0].array
    np.testing.assert_array_equal(fewer, np.rint(image.array.reshape(1, 2, 2, 20, 20).mean(axis=2)))
    # the trace has the way back: codes return label by label
    assert ResampleTo((2.0, 1.0, 1.0)).invert(after.mask, trace).grid == mask.grid


@pytest.mark.parametrize("seed", range(40))
def test_no_label_appears_and_none_of_a_voxel_vanishes(seed):
    rng = np.random.default_rng(seed)
    grid = tuple(int(side) for side in rng.integers(1, 14, 3))
    wanted = tuple(int(side) for side in rng.integers(1, 14, 3))
    few = rng.integers(0, 6, (1, *grid)) * (rng.random((1, *grid)) < rng.choice([0.02, 0.3, 1.0]))
    mask = few.astype(np.uint8)
    after = resample_codes(mask, wanted)
    assert (after.shape, after.dtype) == ((1, *wanted), np.uint8)
    assert set(np.unique(after)) <= set(np.unique(mask)) | {0}
    ratio = mask.size / after.size
    for code in np.unique(mask[mask > 0]):
        if (mask == code).sum() >= ratio:
            assert (after == code).any(), code


def test_thin_label_keeps_its_volume():
    mask = np.zeros((1, 40, 40, 40), np.uint8)
    mask[0, 10, 5:35, 5:35] = 1  # a sheet, a quarter of a new voxel thick
    mask[0, 20:30, 20, 20] = 2  # a vessel of less than one new voxel
    after = resample_codes(mask, (10, 10, 10))
    assert abs(int((after == 1).sum()) * 64 - 900) <= 64
    assert (after == 1)[0, 2].sum() == (after == 1).sum()
    assert not (after == 2).any()


def test_scattered_voxels_of_a_label_count_together():
    mask = np.zeros((1, 20, 20, 20), np.uint8)
    mask[0, ::5, ::5, ::5] = 1  # 64 voxels, one in each new voxel of 125
    mask[0, 2::5, 2::5, 2::5] = 2
    mask[0, 3::5, 2::5, 2::5] = 2
    after = resample_codes(mask, (4, 4, 4))
    assert ((after == 1).sum(), (after == 2).sum()) == (0, 1)


def test_shares_decide_and_not_the_order_of_the_codes():
    mask = np.zeros((1, 6, 6), np.uint8)
    mask[0, :2, :2] = [[5, 5], [5, 0]]
    mask[0, 2:4, 2:4] = [[1, 2], [2, 7]]
    np.testing.assert_array_equal(resample_codes(mask, (3, 3))[0], [[5, 0, 0], [0, 2, 0], [0, 0, 0]])


def test_planes_stay_apart():
    rng = np.random.default_rng(0)
    planes = (rng.random((3, 10, 11, 12)) < 0.3).astype(np.uint8)
    both = resample_codes(planes, (6, 14, 12))
    for plane, after in zip(planes, both, strict=True):
        np.testing.assert_array_equal(resample_codes(plane[None], (6, 14, 12))[0], after)


def test_ball_returns():
    z, y, x = np.mgrid[:30, :60, :60]
    mask = (((z - 14) * 2.0) ** 2 + (y - 30) ** 2 + (x - 28) ** 2 < 18**2).astype(np.uint8)[None]
    volume = placed_volume(mask, oblique(1, (2.0, 1.0, 1.0)))
    for spacing in ((1.0, 1.0, 1.0), (3.0, 1.7, 1.4)):
        pipeline = Pipeline((ResampleTo(spacing),))
        after, trace = pipeline.apply(Sample((volume,), volume))
        back = pipeline.invert(after.mask.with_array(after.mask.array.astype(np.float32)), trace).array > 0.5
        dice = 2 * (back & (mask == 1)).sum() / (back.sum() + mask.sum())
        assert dice > 0.96
        np.testing.assert_allclose(np.argwhere(back[0]).mean(axis=0), np.argwhere(mask[0]).mean(axis=0), atol=0.1)


def test_reports_how_sizes_changed():
    image, mask = placed(2, (12, 20, 20), (2.0, 1.0, 1.0))
    after, trace = Pipeline((ResampleTo((1.5, 1.5, 1.5)),)).apply(Sample((image,), mask))
    changes = label_size_changes(trace)
    for code in np.unique(mask.array[mask.array > 0]):
        before_mm3 = (mask.array == code).sum() * 2.0
        after_mm3 = (after.mask.array == code).sum() * np.prod(after.mask.spacing_mm)
        np.testing.assert_allclose(changes[str(code)], (before_mm3, after_mm3))
    planes = mask.with_array(np.concatenate([mask.array == code for code in (3, 1)]).astype(np.uint8))
    assert label_sizes(planes)["2"] == label_sizes(mask)["1"]


def test_fits_the_median():
    cases = [Sample((placed(n, (8, 9, 10), (1.0 + n, 1.0, 0.5 + 0.1 * n))[0],)) for n in range(3)]
    np.testing.assert_allclose(ResampleTo().fit(iter(cases)).spacing_mm, (2.0, 1.0, 0.6))


def test_fits_thin_slices_where_most_are_thick():
    found = [((mm, 0.5, 0.5), (20, 400, 400)) for mm in (1.0, 5.0, 5.0, 5.0, 5.0)]
    assert median_spacing_mm(found) == (np.percentile([1, 5, 5, 5, 5], 10), 0.5, 0.5)
    many = [(spacing, (200, 400, 400)) for spacing, _ in found]
    assert median_spacing_mm(many) == (5.0, 0.5, 0.5)


def test_refusals():
    with pytest.raises(ConfigError, match="positive millimetres"):
        ResampleTo((1.0, 0.0, 1.0))
    with pytest.raises(ConfigError, match="ratio"):
        ResampleTo(anisotropy=0.5)
    picture = Sample((flat_volume(np.zeros((1, 4, 4), np.uint8)),))
    with pytest.raises(DataError, match="spacing is unknown"):
        ResampleTo((1.0, 1.0)).apply(picture)
    with pytest.raises(DataError, match="spacing is unknown"):
        ResampleTo().fit([picture])
    with pytest.raises(DataError, match="other axes"):
        ResampleTo((1.0, 1.0, 1.0)).apply(Sample((Volume(np.zeros((1, 4, 4)), (1.0, 1.0), np.eye(4)),)))
    with pytest.raises(DataError, match="no case"):
        ResampleTo().fit([])
