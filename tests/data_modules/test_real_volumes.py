"""The defaults of CT and MRI on real volumes."""

import os
from pathlib import Path

import numpy as np
import pytest

from data_modules.ct import CTDataModule
from data_modules.mri import MRIDataModule
from lit_medseg.catalogue.folder_pairs import FolderPairs
from lit_medseg.data.image_kind import ImageKind, image_kind
from lit_medseg.imaging.read_volume import read_volume
from lit_medseg.preprocess.pipeline import Pipeline
from lit_medseg.preprocess.sample import Sample
from tests.data_modules.fake_modalities import segmentation
from tests.data_modules.test_defaults_contract import bare

pytestmark = pytest.mark.realdata


def data():
    return Path(os.environ["LIT_MEDSEG_DATA"])


def linked(root, pairs):
    for name, (image, mask) in pairs.items():
        for folder, file in (("images", image), ("masks", mask)):
            (root / folder).mkdir(parents=True, exist_ok=True)
            (root / folder / f"{name}.nii.gz").symlink_to(file)
    return FolderPairs(str(root), patient_pattern="(.*)")


def test_hippocampi_keep_their_grid_and_get_unit_deviation(tmp_path):
    folder = data() / "mri_hippocampus_msd"
    chosen = sorted((folder / "images").glob("*.nii.gz"))[:10]
    source = linked(tmp_path / "set", {f.name[:-7]: (f, folder / "labels" / f.name) for f in chosen})
    module = segmentation(tmp_path, MRIDataModule, source=source)
    module.prepare()
    cache = module._ready().cache
    assert module.kind == ImageKind(3, placed=True)
    for row, case_id in enumerate(cache.case_ids):
        image = np.array(cache.image(row))
        native = read_volume(folder / "images" / f"{case_id}.nii.gz")
        assert image.mean() == pytest.approx(0, abs=1e-3)
        assert image.std() == pytest.approx(1, abs=1e-3)
        assert all(side <= whole for side, whole in zip(sorted(image.shape[1:]), sorted(native.grid), strict=True))
        back = module.pipeline.invert(native.with_array(np.array(cache.mask(row))), cache.trace(row))
        assert np.array_equal(back.array, np.array(cache.reference(row)))
    batch = next(iter(module.train_dataloader()))
    assert batch["image"].shape == (4, 1, 12, 16, 16)


def test_the_abdomen_gets_its_window_from_its_organs():
    folder = data() / "ct_totalsegmentator_example"
    image, mask = read_volume(folder / "example_ct_sm.nii.gz"), read_volume(folder / "example_seg.nii.gz")
    codes = mask.with_array(mask.array.astype(np.uint8))
    steps = Pipeline(tuple(bare(CTDataModule, ImageKind(3, placed=True))[0])).fit(lambda: [Sample((image,), codes)])
    fit = steps.steps[1]
    inside = image.array[codes.array > 0]
    np.testing.assert_allclose([fit.low, fit.high], np.percentile(inside, [0.5, 99.5]), atol=15)
    assert -1100 < fit.low < 0 < fit.high < 2000
    changed, trace = steps.apply(Sample((image,), codes))
    organs = changed.images[0].array[changed.mask.array > 0]
    assert abs(organs.mean()) < 0.05
    assert organs.std() == pytest.approx(1, abs=0.05)
    assert np.array_equal(steps.invert(changed.mask, trace).array, codes.array)


def test_dicom_series_are_seen_as_volumes():
    series = data() / "ct_totalsegmentator_example" / "example_ct_dicom"
    volume = read_volume(series)
    assert (len(volume.grid), volume.affine is not None) == (3, True)


def test_pictures_are_seen_as_pictures():
    assert image_kind(FolderPairs(str(data() / "nuclei_dsb2018"), masks=None)) == ImageKind(2)
