"""The modalities that come as volumes: what their defaults promise holds on volumes of two scanners."""

import numpy as np
import pytest
import torch

from data_modules.ct import CTDataModule
from data_modules.microscopy import MicroscopyDataModule
from data_modules.mri import MRIDataModule
from data_modules.ultrasound import UltrasoundDataModule
from lit_medseg.augment.batch_augmentation import BatchAugmentation
from lit_medseg.augment.mirror import Mirror
from lit_medseg.catalogue.folder_pairs import FolderPairs
from lit_medseg.data.image_kind import ImageKind
from lit_medseg.data.loaders import Ranks, evaluation_loader
from lit_medseg.data.loading import Loading
from lit_medseg.data.preparation import Preparation
from lit_medseg.data.training import Training
from lit_medseg.data.truth import Truth
from lit_medseg.imaging.volume import Volume, flat_volume
from lit_medseg.preprocess.hu_window import HUWindow
from lit_medseg.preprocess.pipeline import Pipeline
from lit_medseg.preprocess.sample import Sample
from tests.data_modules.fake_modalities import (
    GRIDS,
    LOOKS,
    SPACINGS,
    classification,
    scan,
    segmentation,
    write_pairs,
)
from tests.data_modules.test_defaults_contract import bare

KINDS = list(LOOKS)
WITHOUT_PLACE = ImageKind(3)


@pytest.fixture(scope="module", params=KINDS, ids=lambda kind: kind.__name__)
def prepared(request, tmp_path_factory):
    module = segmentation(tmp_path_factory.mktemp("set"), request.param)
    module.prepare()
    return module


def cached(module):
    """Give image and mask of every case, as the network would see them without augmentation."""
    cache = module._ready().cache
    for row, case_id in enumerate(cache.case_ids):
        yield case_id, np.array(cache.image(row)), np.array(cache.mask(row))


def dice(a, b):
    return 2 * (a & b).sum() / (a.sum() + b.sum())


class TestPrepared:
    def test_voxels_are_floats_of_one_channel(self, prepared):
        for _, image, mask in cached(prepared):
            assert image.dtype == np.float32
            assert image.shape == mask.shape == (1, *image.shape[1:])

    def test_training_cases_are_normalised(self, prepared):
        train = {
            case_id: (image[0], mask[0]) for case_id, image, mask in cached(prepared) if case_id in prepared.split.train
        }
        if isinstance(prepared, CTDataModule):
            values = [np.concatenate([image[mask > 0] for image, mask in train.values()])]
        else:
            values = [image for image, _ in train.values()]
        # Resampling after normalisation smooths a little.
        for each in values:
            assert abs(each.mean()) < 0.15
            assert 0.75 < each.std() < 1.15

    def test_all_cases_have_one_spacing_and_orientation(self, prepared):
        # The lengths of the axes in mm are those of the axes that the canonical order makes of them.
        resampling = prepared.pipeline.steps[-1]
        for case_id, image, _ in cached(prepared):
            which = int(case_id[1:]) % 2
            native_mm = np.multiply(GRIDS[which], SPACINGS[which])
            wanted_mm = native_mm if which == 0 else native_mm[[1, 2, 0]]  # sagittal: rows to the feet, columns back
            np.testing.assert_allclose(np.multiply(image.shape[1:], resampling.spacing_mm), wanted_mm, rtol=0.06)

    def test_masks_lie_on_what_they_mark(self, prepared):
        for _, image, mask in cached(prepared):
            inside, outside = image[0][mask[0] > 0], image[0][mask[0] == 0]
            assert inside.mean() > outside.mean() + 0.4
            assert image[0][mask[0] == 2].mean() > image[0][mask[0] == 1].mean()

    def test_masks_come_back_to_their_scanner(self, prepared):
        ready = prepared._ready()
        for row, case_id in enumerate(ready.cache.case_ids):
            reference = np.array(ready.cache.reference(row))
            volume = flat_volume(np.array(ready.cache.mask(row)))
            back = prepared.pipeline.invert(volume, ready.cache.trace(row))
            assert back.array.shape == reference.shape
            assert dice(back.array > 0, reference > 0) > 0.9, case_id
            assert dice(back.array == 2, reference == 2) > 0.65, case_id  # some fifty voxels

    def test_batches_are_augmented_and_aligned(self, prepared):
        batches = [batch for _ in range(2) for batch in prepared.train_dataloader()]
        image, mask = (torch.cat([batch[key] for batch in batches]) for key in ("image", "mask"))
        assert image.shape[1:] == (1, 12, 16, 16)
        assert image.dtype == torch.float32
        assert not mask.is_floating_point()
        assert torch.isfinite(image).all()
        assert set(mask.unique().tolist()) == {0, 1, 2}
        assert image[:, 0][mask > 0].mean() > image[:, 0][mask == 0].mean() + 0.3

    def test_few_whole_volumes_wait_for_the_network(self, prepared):
        many = Loading(workers=8, prefetch=4)
        loader = evaluation_loader(prepared._ready(), prepared.split.train, many, Ranks())
        assert len(loader) > 2
        assert (loader.num_workers, loader.prefetch_factor) == (2, 1)

    def test_survives_a_checkpoint(self, prepared):
        again = Pipeline.from_plain(prepared.plain()["pipeline"])
        assert again == prepared.pipeline
        assert again.fitted
        assert prepared.plain()["normalize"] == []


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_classification_of_volumes(kind, tmp_path):
    module = classification(tmp_path, kind)
    module.prepare()
    batch = next(iter(module.train_dataloader()))
    assert batch["image"].shape == (4, 1, 12, 16, 16)
    assert set(batch["label"].tolist()) <= {0, 1}
    cache = module._ready().cache
    images = [np.array(cache.image(row)) for row in module._ready().rows(module._ready().train_entries)]
    if kind is CTDataModule:  # by all training cases
        assert abs(np.mean([image.mean() for image in images])) < 0.1
    for image in images:
        assert abs(image.mean()) < (0.5 if kind is CTDataModule else 0.1)


class TestCT:
    def test_hounsfield_units_are_treated_alike_in_all_cases(self, tmp_path):
        # Air is one number in every case, whatever the case: the scale is absolute.
        module = segmentation(tmp_path, CTDataModule)
        module.prepare()
        lows = [image.min() for _, image, _ in cached(module)]
        assert np.ptp(lows) < 1e-5

    def test_the_fit_is_nnunets(self, tmp_path):
        module = segmentation(tmp_path, CTDataModule)
        module.prepare()
        step = module.pipeline.steps[1]
        pairs = [scan(CTDataModule, number, GRIDS[number % 2]) for number in range(10)]
        train = [pairs[int(case_id[1:])] for case_id in module.split.train]
        drawn = np.concatenate([np.random.default_rng(0).choice(image[mask > 0], 10_000) for image, mask in train])
        low, high = np.percentile(drawn, [0.5, 99.5])
        np.testing.assert_allclose([step.low, step.high], [low, high], atol=8)
        np.testing.assert_allclose([step.mean, step.std], [drawn.mean(), drawn.std()], rtol=0.03)

    def test_a_window_takes_the_place_of_the_fit(self, tmp_path):
        window = HUWindow(low_hu=-45, high_hu=105)
        preparation = Preparation(normalize=window, cache_dir=str(tmp_path / "cache"))
        training = Training(patch_size=[12, 16, 16], augmentation=[])
        module = segmentation(tmp_path, CTDataModule, preparation=preparation, training=training)
        module.prepare()
        assert [image.min() < -900 for _, image, _ in cached(module)] == [True] * 10
        images = torch.cat([batch["image"] for batch in module.train_dataloader()])
        assert images.min() == 0
        assert images.max() == 1
        between = (images > 0) & (images < 1)
        assert between.any()

    def test_the_windows_of_the_table_are_level_and_width(self):
        rows = [line.split("|")[1:-1] for line in CTDataModule.__doc__.splitlines() if line.strip().startswith("|")][2:]
        assert [row[0].strip() for row in rows] == ["brain", "lung", "mediastinum", "abdomen", "liver", "bone"]
        for row in rows:
            level, width = (float(number) for number in row[1].split(","))
            assert (float(row[2]), float(row[3])) == (level - width / 2, level + width / 2)
            HUWindow(low_hu=float(row[2]), high_hu=float(row[3]))

    def test_slices_in_hounsfield_units_keep_every_one(self):
        steps, _, _ = bare(CTDataModule, ImageKind(2, signed=True))
        slices = np.arange(-1024, 3072, dtype=np.int16).reshape(1, 64, 64)
        changed, _ = Pipeline(tuple(steps)).apply(Sample((flat_volume(slices),)))
        image = changed.images[0].array
        assert image.min() == 0
        assert image.max() == 1
        np.testing.assert_allclose(image * 4095 - 1024, slices, atol=1e-3)

    def test_slices_of_eight_bits_stay(self):
        assert bare(CTDataModule)[0] == []


def test_the_scanners_gain_does_not_change_mri():
    # The same head with another gain and offset, and in a wider field of view of zeros.
    head = np.random.default_rng(0).normal(500, 60, (1, 16, 20, 20)).astype(np.float32)
    affine = np.eye(4)[[2, 1, 0, 3]] * [[-1], [-1], [1], [1]]  # slices to the head, rows back, columns left
    results = []
    for array in (head, np.pad(2.5 * head + 40, [(0, 0), (3, 3), (2, 2), (9, 1)])):
        steps = Pipeline(tuple(bare(MRIDataModule, ImageKind(3))[0]))
        changed, _ = steps.apply(Sample((Volume(array, (1.0, 1.0, 1.0), affine),)))
        results.append(changed.images[0].array)
    np.testing.assert_allclose(*results, atol=1e-4)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_volumes_without_spacing_are_not_resampled(kind, tmp_path):
    source = write_pairs(tmp_path / "placed", kind, patients=6)
    root = tmp_path / "arrays"
    for number in range(6):
        image, mask = scan(kind, number, GRIDS[0])
        for folder, array in (("images", image[0]), ("masks", mask[0])):
            (root / folder).mkdir(parents=True, exist_ok=True)
            np.save(root / folder / f"p{number:02}.npy", array)
    unplaced = FolderPairs(str(root), patient_pattern=r"(p\d+)")
    module = segmentation(tmp_path, kind, source=unplaced)
    module.prepare()
    assert module.kind == ImageKind(3, placed=False, signed=True)
    assert {image.shape[1:] for _, image, _ in cached(module)} == {GRIDS[0]}
    assert segmentation(tmp_path, kind, source=source).kind.placed


def test_mirrors_are_for_what_has_no_sides():
    for kind in (CTDataModule, MRIDataModule, UltrasoundDataModule):
        assert bare(kind, ImageKind(3, placed=True))[2].mirror == Mirror(probability=0.0)
    assert bare(MicroscopyDataModule, WITHOUT_PLACE)[2].mirror == BatchAugmentation().mirror


def test_classification_of_ct_has_no_foreground_to_fit():
    steps, _, _ = bare(CTDataModule, ImageKind(3, placed=True), truth=Truth(labels=["a", "b"]))
    assert "CTIntensity" not in {type(step).__name__ for step in steps}
