import numpy as np
import pytest
import SimpleITK
from scipy import ndimage

from lit_medseg.errors import ConfigError, DataError
from lit_medseg.imaging.volume import flat_volume, placed_volume
from lit_medseg.preprocess.clahe import Clahe
from lit_medseg.preprocess.clip_percentiles import ClipPercentiles
from lit_medseg.preprocess.crop_foreground import CropForeground
from lit_medseg.preprocess.ct_intensity import CTIntensity
from lit_medseg.preprocess.half_precision import HalfPrecision
from lit_medseg.preprocess.histogram_match import HistogramMatch
from lit_medseg.preprocess.hu_window import HUWindow
from lit_medseg.preprocess.median_filter import MedianFilter
from lit_medseg.preprocess.n4_bias_field import N4BiasField
from lit_medseg.preprocess.non_local_means import NonLocalMeans, noise_variance
from lit_medseg.preprocess.pad import PadTo, PadToMultiple
from lit_medseg.preprocess.pipeline import Pipeline
from lit_medseg.preprocess.processed_case import process_case
from lit_medseg.preprocess.region import otsu_threshold, values_within
from lit_medseg.preprocess.remap_labels import RemapLabels
from lit_medseg.preprocess.sample import Sample
from lit_medseg.preprocess.z_score import ZScore


def change(step, array):
    return step.change(flat_volume(array)).array


@pytest.fixture
def volume():
    """Two classes of intensity with noise, and exact zeros around."""
    rng = np.random.default_rng(0)
    array = np.zeros((2, 10, 14, 12), np.float32)
    array[:, 1:9, 2:12, 2:10] = rng.normal(100, 9, (2, 8, 10, 8))
    array[:, 3:6, 4:9, 4:8] += 120
    return array


def test_hu_window_by_hand():
    window = change(HUWindow(-160, 240), np.array([[[-1000, -160, 40, 240, 3000]]], np.int16))
    assert window.dtype == np.float32
    np.testing.assert_allclose(window[0, 0], [0, 0, 0.5, 1, 1])
    with pytest.raises(ConfigError, match="low_hu < high_hu"):
        HUWindow(3, 3)


def test_z_score_of_each_region(volume):
    for region, inside in (("whole", volume >= 0), ("nonzero", volume != 0)):
        scored = change(ZScore(region), volume)
        for channel, where in zip(scored, inside, strict=True):
            np.testing.assert_allclose((channel[where].mean(), channel[where].std()), (0, 1), atol=1e-5)
    assert not change(ZScore("nonzero"), volume)[volume == 0].any()
    bright = change(ZScore("foreground"), volume)[0]
    where = volume[0] > otsu_threshold(volume[0])
    np.testing.assert_allclose((bright[where].mean(), bright[where].std()), (0, 1), atol=1e-5)
    assert bright[0, 0, 0] < -2


@pytest.mark.parametrize("region", ["whole", "foreground", "nonzero"])
@pytest.mark.parametrize("value", [0, 7, 0.1, -3e5])
def test_z_score_of_a_constant_is_zero(region, value):
    assert not change(ZScore(region), np.full((1, 4, 5, 6), value, np.float64)).any()


def test_z_score_of_large_offsets_is_exact():
    array = np.random.default_rng(0).random((1, 20, 20)) + 1e6
    np.testing.assert_allclose(change(ZScore(), array), (array - array.mean()) / array.std(), atol=1e-6)


def test_otsu_agrees_with_simpleitk(volume):
    ours = volume[0] > otsu_threshold(volume[0])
    theirs = SimpleITK.OtsuThreshold(SimpleITK.GetImageFromArray(volume[0]), 0, 1, 256)
    np.testing.assert_array_equal(ours, SimpleITK.GetArrayFromImage(theirs) > 0)
    assert otsu_threshold(np.full((3, 3), 5)) == 5
    assert values_within(np.zeros((2, 2)), "nonzero").size == 4


def test_clip_percentiles(volume):
    clipped = change(ClipPercentiles(5, 95, "nonzero"), volume)
    for before, after in zip(volume, clipped, strict=True):
        np.testing.assert_allclose(after, np.clip(before, *np.percentile(before[before != 0], [5, 95])), rtol=1e-6)
    with pytest.raises(ConfigError):
        ClipPercentiles(50, 50)


@pytest.mark.parametrize(("size", "wide"), [((3,), (3, 3, 3)), ((1, 3, 5), (1, 3, 5))])
def test_median_agrees_with_scipy(volume, size, wide):
    expected = np.stack([ndimage.median_filter(channel, wide, mode="nearest") for channel in volume])
    np.testing.assert_array_equal(change(MedianFilter(size), volume), expected)
    whole = volume.astype(np.int16)
    assert change(MedianFilter(size), whole).dtype == np.int16


def test_median_refusals(volume):
    with pytest.raises(ConfigError, match="odd"):
        MedianFilter((2,))
    with pytest.raises(DataError, match="other axes"):
        change(MedianFilter((3, 3)), volume)


def naive_means(image, search, patch, bandwidth):
    """Non-local means voxel by voxel, as the formula stands."""
    denoised = np.empty_like(image)
    for here in np.ndindex(image.shape):
        total = weight = 0.0
        for there in np.ndindex(image.shape):
            shift = np.subtract(there, here)
            if np.abs(shift).max() > search:
                continue
            both = tuple(slice(max(0, -by), side - max(0, by)) for by, side in zip(shift, image.shape, strict=True))
            moved = tuple(slice(max(0, by), side + min(0, by)) for by, side in zip(shift, image.shape, strict=True))
            apart = (image[both] - image[moved]) ** 2
            at = tuple(index - part.start for index, part in zip(here, both, strict=True))
            window = [
                np.clip(np.arange(i - patch, i + patch + 1), 0, n - 1) for i, n in zip(at, apart.shape, strict=True)
            ]
            alike = np.exp(-apart[np.ix_(*window)].mean() / bandwidth)
            total, weight = total + alike * image[there], weight + alike
        denoised[here] = total / weight
    return denoised


def test_non_local_means_agrees_with_the_formula():
    image = np.random.default_rng(0).normal(50, 10, (6, 5, 7))
    ours = change(NonLocalMeans(2, 1, 0.8), image[None].astype(np.float32))[0]
    bandwidth = 2 * 0.8 * noise_variance(image.astype(np.float32))
    np.testing.assert_allclose(ours, naive_means(image, 2, 1, bandwidth), rtol=1e-4)


def test_non_local_means_takes_noise_and_leaves_edges():
    clean = np.zeros((24, 24, 24), np.float32)
    clean[8:16, 8:16, 8:16] = 100
    noisy = clean + np.random.default_rng(0).normal(0, 5, clean.shape).astype(np.float32)
    quiet = change(NonLocalMeans(2), noisy[None])[0]
    assert np.sqrt(((quiet - clean) ** 2).mean()) < 0.6 * np.sqrt(((noisy - clean) ** 2).mean())
    flat = np.random.default_rng(1).normal(0, 5, (20, 20, 20)).astype(np.float32)
    assert abs(noise_variance(flat) / 25 - 1) < 0.05
    with pytest.raises(ConfigError):
        NonLocalMeans(0)


def test_n4_takes_a_bias_off():
    z, y, x = np.mgrid[:24, :48, :48]
    ball = ((z - 12) / 10.0) ** 2 + ((y - 24) / 20.0) ** 2 + ((x - 24) / 20.0) ** 2 < 1
    tissue = np.where(((z // 4 + y // 8 + x // 8) % 2) == 0, 100.0, 160.0) * ball
    biased = tissue * np.exp((x - 24) / 60.0 + (y - 24) / 90.0) + np.random.default_rng(0).random(ball.shape)
    corrected = change(N4BiasField(2, (20, 20)), biased[None].astype(np.float32))[0]

    def spread(image):
        one = image[ball & (tissue == 100)]
        return one.std() / one.mean()

    assert spread(corrected) < 0.5 * spread(biased)
    with pytest.raises(ConfigError):
        N4BiasField(0)


def test_histogram_match_undoes_a_scale(volume):
    cases = [Sample((flat_volume(volume * factor),)) for factor in (1.0, 3.0, 0.2)]
    step = HistogramMatch(region="nonzero").fit(iter(cases))
    first, *others = (step.apply(case)[0].images[0].array for case in cases)
    assert first.dtype == np.float32
    for other in others:
        np.testing.assert_allclose(other, first, atol=1e-3)
    inside = volume[0] > 0
    order = np.argsort(volume[0][inside], kind="stable")
    assert (np.diff(first[0][inside][order]) >= -1e-6).all()
    np.testing.assert_allclose(
        np.percentile(first[0][inside], [1, 50, 99]), np.array(step.landmarks[0])[[0, 5, 10]], atol=0.01
    )


def test_histogram_match_is_near_the_landmarks_of_simpleitk(volume):
    other = np.sqrt(volume) * 20
    step = HistogramMatch(region="whole").fit([Sample((flat_volume(volume[:1]),))])
    ours = step.apply(Sample((flat_volume(other[:1]),)))[0].images[0].array[0]
    span = np.percentile(volume[0], [1, 99])
    ours = ours * np.ptp(span) + span[0]
    # a monotone change of the intensities is undone
    assert np.abs(ours - volume[0])[volume[0] > 0].mean() < 3


def test_histogram_match_refusals(volume):
    with pytest.raises(DataError, match="no case"):
        HistogramMatch().fit([])
    with pytest.raises(DataError, match="other channels"):
        HistogramMatch(landmarks=((0.0,) * 11,)).apply(Sample((flat_volume(volume),)))


def test_ct_intensity_measures_the_foreground():
    rng = np.random.default_rng(0)
    cases, inside = [], []
    for n in range(4):
        array = rng.normal(-300, 400, (1, 20, 20, 20)).astype(np.int16)
        mask = (rng.random((1, 20, 20, 20)) < 0.3).astype(np.uint8)
        array[mask == 1] = rng.normal(60 + n, 20, int(mask.sum())).astype(np.int16)
        cases.append(Sample((flat_volume(array),), flat_volume(mask), ("ct",)))
        inside.append(array[mask == 1])
    inside = np.concatenate(inside).astype(float)
    step = CTIntensity().fit([*cases, Sample(cases[0].images)])
    np.testing.assert_allclose((step.low, step.high), np.percentile(inside, [0.5, 99.5]), atol=1.5)
    np.testing.assert_allclose((step.mean, step.std), (inside.mean(), inside.std()), rtol=0.02)
    after = step.apply(cases[0])[0].images[0].array
    expected = (np.clip(cases[0].images[0].array, step.low, step.high) - step.mean) / step.std
    np.testing.assert_allclose(after, expected, atol=1e-5)
    assert CTIntensity(mean=0.0).fit(cases).mean == 0.0
    assert step == CTIntensity().fit(cases)
    with pytest.raises(DataError, match="nothing to fit on"):
        CTIntensity().fit([Sample(cases[0].images)])
    with pytest.raises(DataError, match="different grids"):
        CTIntensity().fit([Sample((flat_volume(cases[0].images[0].array[:, 1:]),), cases[0].mask)])


def test_steps_choose_channels_by_name():
    ct, pet = (flat_volume(np.full((1, 2, 2, 2), value, np.int16)) for value in (40, 7))
    both = Sample((ct, pet), channels=("ct", "pet"))
    first, second = HUWindow(-160, 240, channels=("ct",)).apply(both)[0].images
    assert first.array[0, 0, 0, 0] == 0.5
    assert second is pet
    with pytest.raises(DataError, match="'mr'"):
        ZScore(channels=("mr",)).apply(both)
    with pytest.raises(DataError, match="without names"):
        ZScore(channels=("mr",)).apply(Sample((ct,)))


def test_half_precision_keeps_three_digits(volume):
    scored = change(ZScore(), volume)
    half = change(HalfPrecision(), scored)
    assert half.dtype == np.float16
    np.testing.assert_allclose(half, scored, rtol=2**-11, atol=1e-6)
    whole = flat_volume(volume.astype(np.int16))
    assert HalfPrecision().change(whole) is whole
    with pytest.raises(DataError, match="65504"):
        change(HalfPrecision(), volume * 1e4)


def test_clahe_of_volumes_is_that_of_their_slices():
    array = np.random.default_rng(0).integers(0, 255, (2, 3, 20, 24)).astype(np.uint8)
    both = change(Clahe(), array)
    np.testing.assert_array_equal(both[:, 1], change(Clahe(), array[:, 1]))


def test_remapped_labels_are_those_of_the_reference():
    codes = np.array([[[0, 1], [2, 3]]], np.uint8)
    sample = Sample((flat_volume(np.zeros((1, 2, 2), np.uint8)),), flat_volume(codes))
    pipeline = Pipeline((RemapLabels({1: 2, 2: 1, 3: 0}),))
    after, _ = pipeline.apply(sample)
    np.testing.assert_array_equal(after.mask.array, [[[0, 2], [1, 0]]])
    np.testing.assert_array_equal(pipeline.truth(sample.mask).array, after.mask.array)
    assert RemapLabels({"1": "2"}) == RemapLabels({1: 2})
    with pytest.raises(DataError, match="overlap"):
        pipeline.apply(Sample(sample.images, flat_volume(np.concatenate([codes, codes]))))
    with pytest.raises(ConfigError, match="0 to 255"):
        RemapLabels({1: 256})


def test_crop_and_pad(volume):
    sample = Sample((flat_volume(volume),), flat_volume((volume[:1] > 150).astype(np.uint8)))
    after, trace = CropForeground().apply(sample)
    assert after.images[0].grid == after.mask.grid == (8, 10, 8)
    assert trace == {"grid": [10, 14, 12], "start": [1, 2, 2]}
    assert CropForeground(margin_mm=1).apply(sample)[0].images[0].grid == (10, 12, 10)
    assert CropForeground(9999.0).apply(sample)[0] is sample
    assert CropForeground("otsu").apply(sample)[0].images[0].grid == (8, 10, 8)
    padded, _ = PadTo((12, 3, 13)).apply(after)
    assert padded.images[0].grid == (12, 10, 13)
    assert padded.images[0].array[0, 0, 0, 0] == after.images[0].array[0].min()
    assert padded.mask.array[0, 0, 0, 0] == 0
    assert PadTo((12, 3, 13), -5.0).apply(after)[0].images[0].array[1, 0, 0, 0] == -5
    assert PadToMultiple(8).apply(after)[0].images[0].grid == (8, 16, 8)
    # what was not seen is background: plane 0 of exclusive classes, nothing of overlapping ones
    apart = np.full((2, 8, 10, 8), 0.5, np.float32)
    assert CropForeground().invert(flat_volume(apart), trace).array[:, 0, 0, 0].tolist() == [1, 0]
    assert CropForeground().invert(flat_volume(apart * 0.4), trace).array[:, 0, 0, 0].tolist() == [0, 0]


def test_crop_and_pad_refusals(volume):
    with pytest.raises(ConfigError, match="no such threshold"):
        CropForeground("bright")
    with pytest.raises(ConfigError, match="margin"):
        CropForeground(margin_mm=-1)
    with pytest.raises(DataError, match="OntoChannel"):
        CropForeground().apply(Sample((flat_volume(volume), flat_volume(volume[:, 1:]))))
    moved = np.eye(4)
    moved[0, 3] = 5
    volumes = tuple(placed_volume(volume, affine) for affine in (np.eye(4), moved))
    with pytest.raises(DataError, match="5 mm"):
        CropForeground().apply(Sample(volumes))
    with pytest.raises(ConfigError, match="pad_to"):
        PadTo((0, 1))
    with pytest.raises(DataError, match="other axes"):
        PadTo((4, 4)).apply(Sample((flat_volume(volume),)))
    with pytest.raises(ConfigError, match="pad_to_multiple"):
        PadToMultiple(0)


def test_process_case_takes_steps_of_volumes(volume):
    case = process_case("a", Sample((flat_volume(volume),)), Pipeline((HUWindow(0, 250),)))
    assert case.image.dtype == np.float32
