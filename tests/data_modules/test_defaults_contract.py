"""Every modality: its defaults make batches for both tasks, and say where they come from."""

import importlib
import inspect
import pkgutil
import re
from pathlib import Path

import numpy as np
import pytest
import torch

import data_modules
from data_modules.ct import CTDataModule
from data_modules.mri import MRIDataModule
from data_modules.mri_slices import MRISlicesDataModule
from data_modules.ultrasound import UltrasoundDataModule
from data_modules.xray import XRayDataModule
from lit_medseg.augment.batch_augmentation import BatchAugmentation
from lit_medseg.augment.intensity import Intensity
from lit_medseg.data.any_dimension import AnyDimensionDataModule
from lit_medseg.data.augmentation import Augmentation
from lit_medseg.data.datamodule import CaseDataModule
from lit_medseg.data.image_kind import ImageKind
from lit_medseg.data.preparation import Preparation
from lit_medseg.data.training import Training
from lit_medseg.data.truth import Truth
from lit_medseg.preprocess.pipeline import Pipeline
from tests.data.fake_sets import classification, segmentation

PICTURES, VOLUMES = ImageKind(2), ImageKind(3, placed=True)


def modalities():
    found = []
    for module in pkgutil.iter_modules(data_modules.__path__):
        loaded = importlib.import_module(f"data_modules.{module.name}")
        kinds = [kind for _, kind in inspect.getmembers(loaded, inspect.isclass) if kind.__module__ == loaded.__name__]
        assert [issubclass(kind, CaseDataModule) for kind in kinds] == [True]
        found += kinds
    return found


def bare(kind, images=PICTURES, truth=None, normalize=None):
    """Give the defaults without a data set: they depend on nothing but what images and truth are."""
    module = kind.__new__(kind)
    module.kind, module.preparation = images, Preparation(normalize=normalize)
    module.truth = Truth(masks={"organ": 1}) if truth is None else truth
    return module.default_preprocess(), module.default_normalize(), module.default_augmentation()


def augmented(asked, image, seed):
    """Change `(C, *S)` uint8 by albumentations or by ours; floats, to compare."""
    if isinstance(asked, BatchAugmentation):
        plan = asked.plan(np.random.default_rng(seed), image.shape[1:], len(image), (1.0,) * (image.ndim - 1))
        start, stop = plan.geometry.box((0,) * (image.ndim - 1))
        reach = [
            (max(0, -low), max(0, high - side)) for low, high, side in zip(start, stop, image.shape[1:], strict=True)
        ]
        inside = tuple(slice(max(0, low), high) for low, high in zip(start, stop, strict=True))
        box = np.pad(image[(slice(None), *inside)].astype(np.float32), [(0, 0), *reach])
        return plan.carried_out(torch.from_numpy(box), None, plan.geometry.offset((0,) * len(start)))[0].numpy()
    return Augmentation(asked)(image, None, np.random.default_rng(seed))[0].astype(float)


def names_of(asked):
    """Name what an augmentation is made of, where a modality says it itself."""
    if not isinstance(asked, BatchAugmentation):
        return [spec["class_path"].rpartition(".")[2] for spec in asked]
    standard = BatchAugmentation()
    parts = {type(part).__name__: part for part in (asked.rotation, asked.scaling, asked.elastic, asked.mirror)}
    changed = [name for name, part in parts.items() if part != getattr(standard, name.lower())]
    known = {type(change) for change in standard._intensities}
    return changed + [type(change).__name__ for change in asked.intensity or [] if type(change) not in known]


def test_the_modalities_of_the_platform_are_there():
    stems = {module.name for module in pkgutil.iter_modules(data_modules.__path__)}
    assert stems >= {"ct", "mri", "mri_slices", "xray", "ultrasound", "fundus", "dermoscopy", "endoscopy"}
    assert stems >= {"histopathology", "microscopy"}


@pytest.mark.parametrize("kind", modalities(), ids=lambda kind: kind.__name__)
class TestEveryModality:
    def test_is_short_and_gives_sources(self, kind):
        text = Path(inspect.getsourcefile(kind)).read_text(encoding="utf-8")
        assert len(text.splitlines()) < 100
        assert "doi:" in kind.__doc__
        assert re.search(r"Sources?: [A-Z]", kind.__doc__)

    def test_every_default_has_a_sentence(self, kind):
        for images in (PICTURES, VOLUMES):
            steps, _, asked = bare(kind, images)
            names = [(kind.default_preprocess, type(step).__name__) for step in steps]
            names += [(kind.default_augmentation, name) for name in names_of(asked)]
            for method, name in names:
                assert re.search(rf"\b{name}\b[^:]*:", method.__doc__), name

    def test_every_year_has_its_source(self, kind):
        texts = [kind.default_preprocess.__doc__, kind.default_normalize.__doc__, kind.default_augmentation.__doc__]
        for name, year in re.findall(r"([A-Z][a-z]+(?: Leemput)?) ((?:19|20)\d\d)", " ".join(" ".join(texts).split())):
            last = name.split()[-1]
            assert re.search(rf"{last}\b[^;]*\b{year}, (?:\S+ )*?doi:10\.\d+/\S+", " ".join(kind.__doc__.split())), name

    def test_segmentation(self, kind, tmp_path):
        module = segmentation(tmp_path, kind, grids=((60, 70), (50, 44)))
        module.prepare()
        batch = next(iter(module.train_dataloader()))
        assert batch["image"].shape == (6, module.state.image_channels, 24, 24)
        assert batch["image"].dtype == torch.float32
        assert torch.isfinite(batch["image"]).all()
        assert set(batch["mask"].unique().tolist()) <= {0, 1, 2}
        for evaluated in module.test_dataloader():
            for image, trace, reference in zip(
                evaluated["image"], evaluated["trace"], evaluated["reference"], strict=True
            ):
                volume = module.native_image(evaluated["case_id"][0]).with_array(image.numpy())
                assert module.pipeline.invert(volume, trace).grid == tuple(reference.shape)

    def test_images_are_normalised(self, kind, tmp_path):
        module = segmentation(tmp_path, kind, training=Training(patch_size=[20, 20], augmentation=[]))
        module.prepare()
        images = torch.cat([batch["image"] for _ in range(4) for batch in module.train_dataloader()])
        channels = images.transpose(0, 1).flatten(1)
        assert channels.mean(1).abs().max() < 0.5
        assert 0.6 < channels.std(1).min() <= channels.std(1).max() < 1.6

    def test_masks_stay_on_what_they_mark(self, kind, tmp_path):
        # The fakes are brighter within the mask than around it; bright stays bright in every modality.
        module = segmentation(tmp_path, kind, training=Training(patch_size=[24, 24], foreground=1.0))
        module.prepare()
        batches = [batch for _ in range(3) for batch in module.train_dataloader()]
        image = torch.cat([batch["image"] for batch in batches]).mean(1)
        mask = torch.cat([batch["mask"] for batch in batches])
        assert image[mask > 0].mean() > image[mask == 0].mean() + 0.5

    def test_classification_of_gray_images(self, kind, tmp_path):
        module = classification(tmp_path, kind, training=Training(balanced=True))
        module.prepare()
        batch = next(iter(module.train_dataloader()))
        assert batch["image"].shape[:2] == (6, module.state.image_channels)
        assert sorted(batch["label"].unique().tolist()) == [0, 1]

    def test_defaults_survive_a_checkpoint(self, kind, tmp_path):
        module = segmentation(tmp_path, kind)
        module.prepare()
        again = segmentation(tmp_path, kind)
        again.adopt(module.plain())
        again.prepare()
        assert again.plain() == module.plain()
        assert Pipeline.from_plain(module.plain()["pipeline"]).fitted

    def test_augmentation_keeps_size_and_alignment(self, kind):
        image = np.random.default_rng(0).integers(0, 256, (3, 40, 52)).astype(np.uint8)
        for seed in range(5):
            assert sorted(augmented(bare(kind)[2], image, seed).shape) == [3, 40, 52]

    def test_augmentation_changes_most_samples_moderately(self, kind):
        rows, columns = np.mgrid[:48, :48]
        image = np.broadcast_to(90 + 60 * np.sin(rows / 7) * np.cos(columns / 9), (3, 48, 48)).astype(np.uint8)
        shift = [augmented(bare(kind)[2], image, seed).mean() - image.mean() for seed in range(80)]
        assert np.mean(np.abs(shift) > 0) > 0.5
        assert abs(np.mean(shift)) < 12
        assert np.max(np.abs(shift)) < 100


LATERAL = [XRayDataModule, MRISlicesDataModule, CTDataModule, MRIDataModule, UltrasoundDataModule]


@pytest.mark.parametrize("kind", LATERAL, ids=lambda kind: kind.__name__)
@pytest.mark.parametrize("images", [PICTURES, VOLUMES], ids=["pictures", "volumes"])
def test_left_stays_left(kind, images):
    # A bright left half stays the brighter one, whatever is drawn.
    if images is VOLUMES and not issubclass(kind, AnyDimensionDataModule):
        assert not isinstance(bare(kind)[2], BatchAugmentation)
        return
    size = (64, 64) if images is PICTURES else (20, 40, 40)
    image, half = np.zeros((1, *size), np.uint8), size[-1] // 2
    image[..., :half] = 200
    for seed in range(60):
        changed = augmented(bare(kind, images)[2], image, seed)
        assert changed[..., half // 4 : half].mean() > changed[..., half : half + half * 3 // 4].mean() + 30


@pytest.mark.parametrize("kind", [kind for kind in modalities() if issubclass(kind, AnyDimensionDataModule)])
def test_augmentation_of_volumes_is_ours(kind):
    asked = bare(kind, VOLUMES)[2]
    assert isinstance(asked, BatchAugmentation)
    assert all(isinstance(change, Intensity) for change in asked._intensities)
