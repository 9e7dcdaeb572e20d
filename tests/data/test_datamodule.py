import json

import numpy as np
import pytest
import torch

from lit_medseg.catalogue.folder_pairs import FolderPairs
from lit_medseg.data.preparation import Preparation
from lit_medseg.data.training import Training
from lit_medseg.data.truth import Truth
from lit_medseg.errors import CheckpointError, ConfigError, DataError
from lit_medseg.imaging.read_array import read_image, read_mask
from lit_medseg.imaging.write_png import write_png
from lit_medseg.preprocess.cache import CaseCache
from lit_medseg.preprocess.percentile_rescale import PercentileRescale
from lit_medseg.preprocess.resize import ResizeWithin
from lit_medseg.preprocess.standardize import Standardize
from lit_medseg.preprocess.z_score import ZScore
from lit_medseg.target import Binary, MultiClass
from tests.data.fake_sets import classification, segmentation

MIXED = ((32, 40), (50, 44))


def preparation(tmp_path, **values):
    return Preparation(cache_dir=str(tmp_path / "cache"), **values)


def test_segmentation_batches(tmp_path):
    module = segmentation(tmp_path, grids=MIXED)
    module.prepare()
    assert module.target == MultiClass(("background", "organ", "lesion"))
    assert module.state.image_channels == 3
    batch = next(iter(module.train_dataloader()))
    assert batch["image"].shape == (6, 3, 24, 24)
    assert batch["image"].dtype == torch.float32
    assert batch["mask"].shape == (6, 24, 24)
    assert batch["mask"].dtype == torch.uint8
    assert set(batch["case_id"]) <= set(module.split.train)
    assert set(batch) == {"image", "mask", "case_id"}


@pytest.mark.parametrize("steps", [[], [ResizeWithin(31)]])
def test_evaluation_batches_have_the_way_back(tmp_path, steps):
    module = segmentation(tmp_path, grids=MIXED, preparation=preparation(tmp_path, steps=steps))
    module.prepare()
    seen = []
    for batch in module.test_dataloader():
        assert len(batch["case_id"]) <= 3
        for number, case_id in enumerate(batch["case_id"]):
            seen.append(case_id)
            raw = read_mask(tmp_path / "pairs" / "masks" / f"{case_id}.png")
            codes = np.select([raw == 255, raw == 128], [1, 2], 0)
            np.testing.assert_array_equal(batch["reference"][number].numpy(), codes)
            assert batch["reference"][number].dtype == torch.uint8
            image = module.native_image(case_id).with_array(batch["image"][number].numpy())
            assert batch["mask"][number].shape == batch["image"][number].shape[1:]
            assert module.pipeline.invert(image, batch["trace"][number]).grid == codes.shape
            assert batch["patient_id"][number] == case_id[:3]
    assert sorted(seen) == list(module.split.test)


def test_classification_batches(tmp_path):
    module = classification(tmp_path, training=Training(balanced=True))
    module.prepare()
    assert module.target == Binary(("dark", "bright"))
    loader = module.train_dataloader()
    for batch in (*loader, *module.test_dataloader()):
        assert batch["label"].dtype == torch.int64
        assert batch["label"].tolist() == [int(case_id.startswith("bright")) for case_id in batch["case_id"]]
    assert module.class_counts["dark"] > module.class_counts["bright"]
    assert module.class_weights[1] > module.class_weights[0]
    assert "reference" not in next(iter(module.val_dataloader()))


def test_evaluated_image_is_the_file_standardised(tmp_path):
    module = segmentation(tmp_path)
    module.prepare()
    pixels = np.stack([read_image(tmp_path / "pairs" / "images" / f"{name}.png") for name in module.split.train])
    mean = pixels.mean(axis=(0, 2, 3), dtype=np.float64)[:, None, None]
    std = pixels.std(axis=(0, 2, 3), dtype=np.float64)[:, None, None]
    batch = next(iter(module.test_dataloader()))
    raw = read_image(tmp_path / "pairs" / "images" / f"{batch['case_id'][0]}.png")
    np.testing.assert_allclose(batch["image"][0].numpy(), (raw - mean) / std, atol=1e-5)
    np.testing.assert_array_equal(module.native_image(batch["case_id"][0]).array, raw)


def test_class_counts_are_those_of_the_training_masks(tmp_path):
    module = segmentation(tmp_path, preparation=preparation(tmp_path, steps=[ResizeWithin(20)]))
    module.prepare()
    masks = np.stack([read_mask(tmp_path / "pairs" / "masks" / f"{name}.png") for name in module.split.train])
    expected = {"background": (masks == 0).sum(), "organ": (masks == 255).sum(), "lesion": (masks == 128).sum()}
    assert module.class_counts == expected


def test_test_cases_change_no_fitted_value(tmp_path):
    fitted = []
    for number, planted in enumerate((False, True)):
        root = tmp_path / str(number)
        module = segmentation(root, preparation=preparation(root, steps=[]))
        module.prepare()
        if planted:
            for case_id in (*module.split.test, *module.split.val):
                rng = np.random.default_rng([int(case_id[1:3]), int(case_id[4])])
                image = rng.integers(200, 256, (3, 32, 40)).astype(np.uint8)
                write_png(root / "pairs" / "images" / f"{case_id}.png", image)
            module = segmentation_again(root, module)
            module.prepare()
        fitted.append(module.plain())
    assert fitted[0] == fitted[1]
    root = tmp_path / "0"
    case_id = module.split.train[0]
    write_png(root / "pairs" / "images" / f"{case_id}.png", np.full((3, 32, 40), 255, np.uint8))
    module = segmentation_again(root, module)
    module.prepare()
    assert module.plain() != fitted[0]


def segmentation_again(root, module):
    """Give a fresh module over the files as they are now."""
    source = FolderPairs(str(root / "pairs"), patient_pattern=r"(p\d+)_")
    return type(module)(source, module.truth, preparation=preparation(root, steps=[]), loading=module.loading)


def test_second_process_opens_what_the_first_made(tmp_path, monkeypatch):
    first = segmentation(tmp_path)
    first.prepare()
    monkeypatch.setattr("lit_medseg.data.prepared.load_sample", None)
    second = segmentation_again(tmp_path, first)
    second.prepare()
    second.prepare()
    assert second.plain() == first.plain()
    assert second.split == first.split
    assert second.summary == first.summary


class TestCheckpoint:
    @pytest.fixture
    def trained(self, tmp_path):
        module = segmentation(tmp_path, preparation=preparation(tmp_path, steps=[PercentileRescale(1, 99)]))
        module.prepare()
        return json.loads(json.dumps(module.plain()))

    def test_yaml_that_says_nothing_takes_everything(self, tmp_path, trained):
        module = segmentation(tmp_path, truth=Truth())
        module.adopt(trained)
        assert module.plain() == trained
        module.prepare()
        assert module.plain() == trained
        assert module.pipeline.steps == (PercentileRescale(1, 99),)

    def test_fitted_values_are_the_checkpoints(self, tmp_path, trained):
        trained["normalize"][0]["init_args"] = {"mean": [0.25] * 3, "std": [2.0] * 3}
        module = segmentation(tmp_path)
        module.adopt(trained)
        module.prepare()
        assert module.state.normalize.steps == (Standardize((0.25,) * 3, (2.0,) * 3),)

    def test_contradictions_are_all_listed(self, tmp_path, trained):
        module = segmentation(
            tmp_path,
            truth=Truth(masks={"lesion": 128, "organ": 255}),
            preparation=preparation(
                tmp_path, steps=[PercentileRescale(2, 99)], normalize=Standardize(mean=(0.0, 0.0, 0.0))
            ),
        )
        with pytest.raises(CheckpointError) as caught:
            module.adopt(trained)
        text = str(caught.value)
        for part in ("PercentileRescale.low", "Standardize.mean", "data.truth", "got 3"):
            assert part in text

    def test_same_yaml_is_no_contradiction(self, tmp_path, trained):
        module = segmentation(tmp_path, preparation=preparation(tmp_path, steps=[PercentileRescale(1, 99)]))
        module.adopt(trained)
        assert module.plain() == trained

    def test_other_values_of_the_same_classes(self, tmp_path, trained):
        module = segmentation(tmp_path, truth=Truth(masks={"organ": 7, "lesion": 9}))
        module.adopt(trained)
        assert module.plain() == trained

    def test_other_task_and_channels(self, tmp_path, trained):
        with pytest.raises(CheckpointError, match=r"data\.truth"):
            classification(tmp_path).adopt(trained)
        trained["image_channels"] = 1
        module = segmentation(tmp_path)
        module.adopt(trained)
        with pytest.raises(CheckpointError, match="other channels, expected 1, got 3"):
            module.prepare()

    def test_incomplete(self, tmp_path, trained):
        del trained["normalize"]
        with pytest.raises(CheckpointError, match="normalize"):
            segmentation(tmp_path).adopt(trained)


def test_settings_that_do_not_fit(tmp_path):
    for values, text in (
        ({"training": Training()}, r"patch_size: training images differ in size"),
        ({"training": Training(patch_size=[4, 4, 4])}, "expected 2 numbers"),
        ({"training": Training(patch_size=[8, 8], balanced=True)}, "balanced"),
        ({"preparation": preparation(tmp_path, normalize=ZScore())}, "normalize: it looks at the whole image"),
    ):
        module = segmentation(tmp_path, grids=MIXED, **values)
        module.prepare()
        with pytest.raises(ConfigError, match=text):
            module.train_dataloader()
    module = classification(tmp_path, training=Training(foreground=0.5))
    module.prepare()
    with pytest.raises(ConfigError, match="foreground"):
        module.train_dataloader()
    with pytest.raises(ConfigError, match="prepare"):
        segmentation(tmp_path).train_dataloader()
    with pytest.raises(ConfigError, match="neither"):
        segmentation(tmp_path, truth=Truth()).prepare()


def test_mixed_channels_are_named(tmp_path):
    module = segmentation(tmp_path)
    write_png(
        tmp_path / "pairs" / "images" / "p03_1.png", np.random.default_rng(0).integers(0, 9, (32, 40)).astype(np.uint8)
    )
    with pytest.raises(DataError, match=r"1 in 1 cases \(such as p03_1\), 3 in 23 cases") as caught:
        module.prepare()
    assert "ToRGB" in str(caught.value)


def test_cache_is_quick(tmp_path):
    """A sample needs no file but the cache: reading the sources is forbidden once it is made."""
    module = segmentation(tmp_path)
    module.prepare()
    for file in (tmp_path / "pairs").rglob("*.png"):
        file.unlink()
    assert isinstance(module._prepared.cache, CaseCache)
    assert sum(len(batch["case_id"]) for batch in module.train_dataloader()) >= len(module.split.train)
