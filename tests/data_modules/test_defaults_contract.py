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
from data_modules.mri_slices import MRISlicesDataModule
from data_modules.xray import XRayDataModule
from lit_medseg.data.augmentation import Augmentation
from lit_medseg.data.datamodule import CaseDataModule
from lit_medseg.data.training import Training
from lit_medseg.preprocess.pipeline import Pipeline
from tests.data.fake_sets import classification, segmentation


def modalities():
    found = []
    for module in pkgutil.iter_modules(data_modules.__path__):
        loaded = importlib.import_module(f"data_modules.{module.name}")
        kinds = [kind for _, kind in inspect.getmembers(loaded, inspect.isclass) if kind.__module__ == loaded.__name__]
        assert [issubclass(kind, CaseDataModule) for kind in kinds] == [True]
        found += kinds
    return found


def bare(kind):
    """Give the defaults without a data set: they depend on none."""
    module = kind.__new__(kind)
    return module.default_preprocess(), module.default_normalize(), module.default_augmentation()


def test_the_modalities_of_the_platform_are_there():
    names = {kind.__name__ for kind in modalities()}
    assert names >= {"MicroscopyDataModule", "MRISlicesDataModule", "DermoscopyDataModule", "XRayDataModule"}


@pytest.mark.parametrize("kind", modalities(), ids=lambda kind: kind.__name__)
class TestEveryModality:
    def test_is_short_and_gives_sources(self, kind):
        text = Path(inspect.getsourcefile(kind)).read_text(encoding="utf-8")
        assert len(text.splitlines()) < 100
        assert "doi:" in kind.__doc__

    def test_every_default_has_a_sentence(self, kind):
        steps, _, specs = bare(kind)
        names = [(kind.default_preprocess, type(step).__name__) for step in steps]
        names += [(kind.default_augmentation, spec["class_path"].rpartition(".")[2]) for spec in specs]
        for method, name in names:
            assert re.search(rf"\b{name}\b[^:]*:", method.__doc__), name

    def test_segmentation(self, kind, tmp_path):
        module = segmentation(tmp_path, kind, grids=((60, 70), (50, 44)))
        module.prepare()
        batch = next(iter(module.train_dataloader()))
        assert batch["image"].shape == (6, module.image_channels, 24, 24)
        assert torch.isfinite(batch["image"]).all()
        assert set(batch["mask"].unique().tolist()) <= {0, 1, 2}
        for evaluated in module.test_dataloader():
            for image, trace, reference in zip(
                evaluated["image"], evaluated["trace"], evaluated["reference"], strict=True
            ):
                volume = module.native_image(evaluated["case_id"][0]).with_array(image.numpy())
                assert module.pipeline.invert(volume, trace).grid == tuple(reference.shape)

    def test_classification_of_gray_images(self, kind, tmp_path):
        module = classification(tmp_path, kind, training=Training(balanced=True))
        module.prepare()
        batch = next(iter(module.train_dataloader()))
        assert batch["image"].shape[:2] == (6, module.image_channels)
        assert sorted(batch["label"].unique().tolist()) == [0, 1]

    def test_defaults_survive_a_checkpoint(self, kind, tmp_path):
        module = segmentation(tmp_path, kind)
        module.prepare()
        again = segmentation(tmp_path, kind)
        again.adopt(module.plain())
        again.prepare()
        assert again.plain() == module.plain()
        assert Pipeline.from_plain(module.plain()["pipeline"]).fitted

    def test_augmentation_keeps_the_size(self, kind):
        image = np.random.default_rng(0).integers(0, 256, (3, 40, 52)).astype(np.uint8)
        augmentation = Augmentation(bare(kind)[2])
        for seed in range(5):
            assert sorted(augmentation(image, None, np.random.default_rng(seed))[0].shape) == [3, 40, 52]


@pytest.mark.parametrize("kind", [XRayDataModule, MRISlicesDataModule])
def test_left_stays_left(kind):
    # A bright left half stays the brighter one, whatever is drawn.
    image = np.zeros((1, 64, 64), np.uint8)
    image[:, :, :32] = 200
    augmentation = Augmentation(bare(kind)[2])
    for seed in range(60):
        changed = augmentation(image, None, np.random.default_rng(seed))[0].astype(float)
        assert changed[..., 8:32].mean() > changed[..., 32:56].mean() + 30
