"""Steps on real volumes: labels, sizes and intensities survive."""

import os
from pathlib import Path

import numpy as np
import pytest

from lit_medseg.imaging.read_mask_volume import read_mask_volume
from lit_medseg.imaging.read_volume import read_volume
from lit_medseg.imaging.volume import flat_volume
from lit_medseg.preprocess.canonical_orientation import CanonicalOrientation
from lit_medseg.preprocess.crop_foreground import CropForeground
from lit_medseg.preprocess.label_sizes import label_size_changes
from lit_medseg.preprocess.pad import PadToMultiple
from lit_medseg.preprocess.pipeline import Pipeline
from lit_medseg.preprocess.resample_to import ResampleTo
from lit_medseg.preprocess.sample import Sample

pytestmark = pytest.mark.realdata


def many_classes():
    folder = Path(os.environ["LIT_MEDSEG_DATA"]) / "ct_totalsegmentator_example"
    image, mask = read_volume(folder / "example_ct_sm.nii.gz"), read_mask_volume(folder / "example_seg.nii.gz")
    return Sample((image,), mask.with_array(mask.array.astype(np.uint8)))


def hippocampus(number):
    folder = Path(os.environ["LIT_MEDSEG_DATA"]) / "mri_hippocampus_msd"
    path = sorted((folder / "images").glob("*.nii.gz"))[number]
    mask = read_mask_volume(folder / "labels" / path.name)
    return Sample((read_volume(path),), mask.with_array(mask.array.astype(np.uint8)))


@pytest.mark.parametrize("factor", [0.6, 1.7, 3.0])
def test_many_classes_survive_another_spacing(factor):
    before = many_classes()
    spacing = tuple(mm * factor for mm in before.mask.spacing_mm)
    pipeline = Pipeline((CanonicalOrientation(), ResampleTo(spacing)))
    after, trace = pipeline.apply(before)
    changes = label_size_changes(trace)
    assert len(changes) > 20
    new_mm3, old_mm3 = np.prod(after.mask.spacing_mm), np.prod(before.mask.spacing_mm)
    for code, (size, size_after) in changes.items():
        assert size == (before.mask.array == int(code)).sum() * old_mm3
        assert size_after >= new_mm3 * 0.99 or size < new_mm3
        if size > 500 * max(new_mm3, old_mm3):
            assert abs(size_after / size - 1) < 0.06
            # the mean intensity within a large organ stays (the lung's edge is steep)
            means = [s.images[0].array[s.mask.array == int(code)].mean() for s in (before, after)]
            assert abs(means[1] - means[0]) < (12 if means[0] > -100 else 80)
    back = pipeline.invert(after.mask, trace)
    np.testing.assert_array_equal(back.affine, before.mask.affine)
    assert (back.array == before.mask.array).mean() > {0.6: 0.99, 1.7: 0.96, 3.0: 0.92}[factor]


@pytest.mark.parametrize("number", [0, 1, 50, 119])
def test_hippocampus_returns_from_the_training_grid(number):
    before = hippocampus(number)
    own = CanonicalOrientation().apply(before)[0].mask.spacing_mm
    pipeline = Pipeline((CanonicalOrientation(), ResampleTo(own), CropForeground(), PadToMultiple(8)))
    after, trace = pipeline.apply(before)
    planes = np.stack([after.mask.array[0] == code for code in range(3)]).astype(np.float32)
    back = pipeline.invert(flat_volume(planes), trace)
    np.testing.assert_array_equal(back.array.argmax(axis=0), before.mask.array[0])
    np.testing.assert_array_equal(back.affine, before.mask.affine)
