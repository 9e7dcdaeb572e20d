import numpy as np
import pytest

from lit_medseg.errors import DataError
from lit_medseg.imaging.volume import flat_volume
from lit_medseg.preprocess.sample import Sample
from lit_medseg.preprocess.standardize import Standardize


def samples(dtype, offset=0.0):
    rng = np.random.default_rng(0)
    arrays = [(rng.random((2, 5 + n, 7)) * 200 + offset).astype(dtype) for n in range(9)]
    return [Sample((flat_volume(array),)) for array in arrays]


@pytest.mark.parametrize(("dtype", "offset"), [(np.uint8, 0), (np.float32, 0), (np.float64, 1e8)])
def test_agrees_with_all_pixels_at_once(dtype, offset):
    cases = samples(dtype, offset)
    pixels = np.concatenate([case.images[0].array.reshape(2, -1) for case in cases], axis=1).astype(np.float64)
    step = Standardize().fit(iter(cases))
    np.testing.assert_allclose(step.mean, pixels.mean(axis=1), rtol=1e-14)
    np.testing.assert_allclose(step.std, pixels.std(axis=1), rtol=1e-9)


def test_applies_what_it_fitted():
    cases = samples(np.uint8)
    step = Standardize().fit(cases)
    done = [step.apply(case)[0].images[0].array for case in cases]
    assert all(array.dtype == np.float32 for array in done)
    pixels = np.concatenate([array.reshape(2, -1) for array in done], axis=1).astype(np.float64)
    np.testing.assert_allclose(pixels.mean(axis=1), 0, atol=1e-6)
    np.testing.assert_allclose(pixels.std(axis=1), 1, atol=1e-6)


def test_given_values_stay():
    step = Standardize(mean=(1.0, 2.0)).fit(samples(np.uint8))
    assert step.mean == (1.0, 2.0)
    assert step.fitted


def test_constant_channel_is_only_shifted():
    step = Standardize().fit([Sample((flat_volume(np.full((1, 3, 3), 7, np.uint8)),))])
    assert not step.apply(Sample((flat_volume(np.full((1, 2, 2), 7, np.uint8)),)))[0].images[0].array.any()


def test_channels_are_counted_over_the_images_of_a_case():
    both = Sample((flat_volume(np.full((1, 2, 2), 5.0)), flat_volume(np.full((1, 2, 2), 9.0))))
    first, second = Standardize((1.0, 1.0), (2.0, 4.0)).apply(both)[0].images
    assert (first.array[0, 0, 0], second.array[0, 0, 0]) == (2.0, 2.0)


def test_refusals():
    with pytest.raises(DataError, match="nothing to fit"):
        Standardize().fit([])
    with pytest.raises(DataError, match="channels differ"):
        Standardize().fit([*samples(np.uint8)[:1], Sample((flat_volume(np.zeros((3, 2, 2))),))])
    with pytest.raises(DataError, match="expected 2, got 3"):
        Standardize((1.0, 1.0), (2.0, 4.0)).apply(Sample((flat_volume(np.zeros((3, 2, 2))),)))
