"""Steps in a row over random oblique volumes: predictions return exactly, and masks come back unharmed."""

import numpy as np
import pytest

from lit_medseg.imaging.volume import flat_volume, placed_volume
from lit_medseg.preprocess.canonical_orientation import CanonicalOrientation
from lit_medseg.preprocess.crop_foreground import CropForeground
from lit_medseg.preprocess.onto_channel import OntoChannel
from lit_medseg.preprocess.pad import PadTo, PadToMultiple
from lit_medseg.preprocess.pipeline import Pipeline
from lit_medseg.preprocess.resample_to import ResampleTo
from lit_medseg.preprocess.sample import Sample
from lit_medseg.preprocess.trace import CaseTrace
from lit_medseg.preprocess.z_score import ZScore
from tests.preprocess.volumes import blobs, oblique

GRIDS = [(9, 17, 14), (1, 13, 20), (21, 1, 8), (5, 33, 2), (12, 12, 12), (3, 3, 1)]
SPACINGS = [(2.5, 0.7, 1.1), (6.0, 0.6, 0.6), (1.0, 1.0, 1.0)]


def case(seed, grid, spacing_mm):
    """Two channels on one grid, background 0 around what the mask marks."""
    affine = oblique(seed, spacing_mm)
    image, mask = blobs(seed, grid)
    image[mask == 0] = 0
    images = tuple(placed_volume(array, affine) for array in (image, image // 2))
    return Sample(images, placed_volume(mask, affine), ("t2", "adc"))


@pytest.mark.parametrize("grid", GRIDS)
@pytest.mark.parametrize("spacing_mm", SPACINGS)
@pytest.mark.parametrize("seed", range(3))
class TestRoundTrip:
    def test_mask_at_its_own_spacing_is_unharmed(self, seed, spacing_mm, grid):
        before = case(seed, grid, spacing_mm)
        turned = CanonicalOrientation().apply(before)[0]
        steps = (
            CanonicalOrientation(),
            OntoChannel("t2"),
            ResampleTo(turned.mask.spacing_mm),
            CropForeground(margin_mm=1.0),
            PadTo((8, 8, 8)),
            PadToMultiple(3),
            ZScore("nonzero"),
        )
        pipeline = Pipeline(steps)
        after, trace = pipeline.apply(before)
        back = pipeline.invert(after.mask, CaseTrace.from_plain(trace.plain()))
        np.testing.assert_array_equal(back.array, before.mask.array)
        np.testing.assert_array_equal(back.affine, before.mask.affine)
        codes = after.mask.array[0]
        soft = np.stack([codes == code for code in range(4)]).astype(np.float32)
        np.testing.assert_array_equal(
            pipeline.invert(flat_volume(soft), trace).array.argmax(axis=0), before.mask.array[0]
        )

    def test_everything_returns_to_the_native_grid(self, seed, spacing_mm, grid):
        before = case(seed, grid, spacing_mm)
        other = placed_volume(blobs(9, (6, 7, 8))[0], before.images[0].affine @ np.diag([1.5, 2, 0.9, 1.0]))
        before = Sample((other, before.images[0]), before.mask, ("adc", "t2"))
        pipeline = Pipeline(
            (
                CanonicalOrientation(),
                OntoChannel("t2"),
                ResampleTo((1.7, 0.9, 1.2)),
                CropForeground(5.0),
                PadToMultiple(4),
            )
        )
        for sample, native in ((before, before.mask), (Sample(before.images, None, before.channels), before.images[1])):
            after, trace = pipeline.apply(sample)
            soft = np.random.default_rng(0).random((2, *after.images[0].grid)).astype(np.float32)
            soft[1] = 1 - soft[0]
            back = pipeline.invert(flat_volume(soft), trace)
            assert back.grid == native.grid
            np.testing.assert_array_equal(back.affine, native.affine)
            assert back.spacing_mm == native.spacing_mm
            np.testing.assert_allclose(back.array.sum(axis=0), 1, atol=1e-5)
