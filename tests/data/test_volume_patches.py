"""Patches of volumes: the same for any number of workers, and on the device as on the workers."""

import hashlib
import logging
import os
import pickle
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader

from lit_medseg.augment.batch_augmentation import BatchAugmentation
from lit_medseg.augment.bias_field import BiasField
from lit_medseg.augment.brightness import Brightness
from lit_medseg.augment.brightness_shift import BrightnessShift
from lit_medseg.augment.contrast import Contrast
from lit_medseg.augment.elastic import Elastic
from lit_medseg.augment.gamma import Gamma
from lit_medseg.augment.gaussian_blur import GaussianBlur
from lit_medseg.augment.gaussian_noise import GaussianNoise
from lit_medseg.augment.low_resolution import LowResolution
from lit_medseg.augment.rotation import Rotation
from lit_medseg.augment.scaling import Scaling
from lit_medseg.data.augmentation import Augmentation
from lit_medseg.data.collate import collate
from lit_medseg.data.device_augmentation import augmented_on_device
from lit_medseg.data.large_patch import say_large_patch
from lit_medseg.data.loaders import start_worker
from lit_medseg.data.placement import Placement
from lit_medseg.data.rank_batches import RankBatches, SampleKey
from lit_medseg.data.training import Training
from lit_medseg.data.training_dataset import TrainingDataset
from lit_medseg.errors import ConfigError
from lit_medseg.imaging.read_mask_volume import read_mask_volume
from lit_medseg.imaging.read_volume import read_volume
from lit_medseg.imaging.volume import Volume
from lit_medseg.preprocess.cache import open_cache
from lit_medseg.preprocess.pipeline import Pipeline
from lit_medseg.preprocess.processed_case import process_case
from lit_medseg.preprocess.sample import Sample

# Three workers on a machine of two cores: torch advises against it, and this test wants it.
pytestmark = pytest.mark.filterwarnings("ignore:This DataLoader will create:UserWarning")
EVERYTHING = BatchAugmentation(
    Rotation(0.5),
    elastic=Elastic(0.5, 10.0, (0, 3)),
    intensity=[GaussianNoise(0.5), Gamma(0.5), BiasField(0.5)],
)
CPU = torch.device("cpu")


def case(number, grid, planes):
    rng = np.random.default_rng(number)
    image = rng.random((2, *grid), dtype=np.float32) / 2
    mask = np.zeros((planes, *grid), np.uint8)
    low = [int(rng.integers(1, side - 5)) for side in grid]
    box = tuple(slice(start, start + 4) for start in low)
    mask[(0, *box)] = 1
    mask[(planes - 1, *(slice(start, start + 2) for start in low))] = 1 if planes > 1 else 2
    ones = (1.0,) * len(grid)
    return Sample((Volume(image + mask.max(0) / np.float32(4), ones),), Volume(mask, ones))


def dataset(folder, grids=((20, 24, 18), (15, 30, 22), (9, 20, 20)), planes=1, size=(12, 13, 14), **changes):
    samples = {f"c{number}": case(number, grid, planes) for number, grid in enumerate(grids)}
    cache = open_cache(
        folder, f"{planes}" * 40, list(samples), lambda name: process_case(name, samples[name], Pipeline(()))
    )
    settings = {
        "cache": cache,
        "rows": range(len(grids)),
        "labels": None,
        "overlapping": planes > 1,
        "patch_size": size,
        "placement": Placement(0.5, "balanced"),
        "augmentation": EVERYTHING,
        "normalize": Pipeline(()),
        "seed": 3,
    }
    return TrainingDataset(**{**settings, **changes})


def digests(data, workers=0, world=1):
    found = {}
    for rank in range(world):
        batches = RankBatches(len(data), 6, 3, rank, world, repeats=8)
        batches.set_epoch(1)
        keys = list(batches)
        loader = DataLoader(
            data, batch_sampler=batches, collate_fn=collate, num_workers=workers,
            worker_init_fn=start_worker if workers else None,
        )  # fmt: skip
        for loaded, batch_keys in zip(loader, keys, strict=True):
            batch = augmented_on_device(loaded, CPU, data.overlapping)
            for number, key in enumerate(batch_keys):
                content = batch["image"][number].numpy().tobytes() + batch["mask"][number].numpy().tobytes()
                found[key] = hashlib.sha256(content).hexdigest()
    return found


@pytest.mark.parametrize("on_device", [False, True])
def test_workers_ranks_and_threads_change_nothing(tmp_path, on_device):
    data = dataset(tmp_path, on_device=on_device)
    expected = digests(data)
    assert len(set(expected.values())) == len(expected)
    before = torch.get_num_threads()
    for threads, workers, world in ((before, 1, 1), (before, 3, 1), (before, 0, 2), (before, 1, 3), (1, 0, 1)):
        torch.set_num_threads(threads)
        assert digests(data, workers, world) == expected
        torch.set_num_threads(before)


@pytest.mark.parametrize(("planes", "grids", "size"), [
    (1, ((20, 24, 18), (15, 30, 22)), (12, 13, 14)),
    (3, ((20, 24, 18), (9, 10, 22)), (12, 13, 14)),
    (1, ((40, 44), (30, 60)), (24, 33)),
])  # fmt: skip
def test_device_equals_workers(tmp_path, planes, grids, size):
    workers = dataset(tmp_path, grids, planes, size)
    device = replace(workers, on_device=True)
    keys = [SampleKey(2, position, position % 2) for position in range(12)]
    alone = collate([workers[key] for key in keys])
    batch = augmented_on_device(collate([device[key] for key in keys]), CPU, planes > 1)
    assert torch.equal(alone["image"], batch["image"])
    assert torch.equal(alone["mask"], batch["mask"])
    assert batch["image"].dtype == torch.float32
    assert batch["mask"].dtype == torch.uint8
    assert alone["image"].shape == (12, 2, *size)
    assert alone["mask"].shape == ((12, planes, *size) if planes > 1 else (12, *size))
    # Another batch, another order: the same samples.
    part = augmented_on_device(collate([device[key] for key in keys[5:2:-1]]), CPU, planes > 1)
    assert torch.equal(part["image"], batch["image"][[5, 4, 3]])
    assert "crops" not in part
    assert part["case_id"] == ["c1", "c0", "c1"]


@pytest.mark.parametrize(("grids", "size"), [(((20, 24, 18),), (12, 13, 14)), (((40, 44),), (24, 33))])
def test_everything_happens_on_the_device(tmp_path, grids, size):
    """Tensors without content refuse to be mixed with those of the CPU, and to be looked at by it."""
    quiet = [kind(1.0) for kind in (Brightness, BrightnessShift, Contrast, GaussianBlur, LowResolution)]
    moves = BatchAugmentation(
        Rotation(0.7), elastic=Elastic(0.7, 10.0, (0, 3)),
        intensity=[*quiet, GaussianNoise(1.0), Gamma(1.0), Gamma(1.0, inverted=True), BiasField(1.0)],
    )  # fmt: skip
    data = dataset(tmp_path, grids, size=size, augmentation=moves, on_device=True)
    batch = augmented_on_device(
        collate([data[SampleKey(0, position, 0)] for position in range(8)]), torch.device("meta"), False
    )
    assert batch["image"].device.type == batch["mask"].device.type == "meta"
    assert batch["image"].shape == (8, 2, *size)
    assert batch["mask"].shape == (8, *size)


@pytest.mark.realdata
def test_hippocampi_keep_their_volume(tmp_path):
    folder = Path(os.environ["LIT_MEDSEG_DATA"]) / "mri_hippocampus_msd"
    names = sorted(file.name for file in (folder / "labels").glob("*.nii.gz"))[:12]

    def make(name):
        image, mask = read_volume(folder / "images" / name), read_mask_volume(folder / "labels" / name)
        return process_case(name, Sample((image,), mask.with_array(mask.array.astype(np.uint8))), Pipeline(()))

    cache = open_cache(tmp_path, "h" * 40, names, make)
    turned = BatchAugmentation(Rotation(1.0), Scaling(0.0), intensity=[])
    placement = Placement(1.0, "balanced")
    data = TrainingDataset(cache, range(12), None, False, (64, 64, 64), placement, turned, Pipeline(()), 0)
    for number in range(12):
        before = cache.mask(number)
        found = data[SampleKey(0, number, number)]["mask"].numpy()
        for code in (1, 2):
            assert (found == code).sum() == pytest.approx((before == code).sum(), rel=0.03)


def test_batches_without_crops_pass(tmp_path):
    batch = collate([dataset(tmp_path)[SampleKey(0, 0, 0)]])
    assert augmented_on_device(batch, CPU, False) is batch


def test_seed_epoch_and_position_matter(tmp_path):
    data = dataset(tmp_path)
    other = replace(data, seed=4)
    keys = [SampleKey(0, 0, 0), SampleKey(1, 0, 0), SampleKey(0, 1, 0)]
    images = [data[key]["image"] for key in keys] + [other[keys[0]]["image"]]
    for number, image in enumerate(images):
        assert not any(torch.equal(image, later) for later in images[number + 1 :])
    assert torch.equal(data[keys[0]]["image"], images[0])


def test_foreground_share_and_balance(tmp_path):
    quiet = replace(dataset(tmp_path, grids=((60, 60, 60),) * 3, size=(6, 6, 6)), augmentation=Augmentation([]))
    keys = [SampleKey(0, position, position % 3) for position in range(600)]
    for share in (0.0, 0.6, 1.0):
        data = replace(quiet, placement=Placement(share))
        hits = [bool((data[key]["mask"] > 0).any()) for key in keys]
        assert np.mean(hits) == pytest.approx(share, abs=0.07)
    last = replace(quiet, placement=Placement(0.33, which="last", batch_size=3))
    hits = [bool((last[key]["mask"] > 0).any()) for key in keys]
    assert all(hits[2::3])
    assert np.mean(hits[0::3] + hits[1::3]) < 0.1


def test_small_volumes_are_filled_with_zero(tmp_path, caplog):
    data = dataset(tmp_path, size=(16, 18, 40), augmentation=Augmentation([]))
    sample = data[SampleKey(0, 0, 2)]  # 9 x 20 x 20
    cache = data.cache
    assert sample["image"].shape == (2, 16, 18, 40)
    inner = sample["image"][:, 3:12, :, 10:30].numpy()
    starts = [start for start in range(3) if np.array_equal(inner, cache.image(2)[:, :, start : start + 18])]
    assert len(starts) == 1
    outside = sample["image"].clone()
    outside[:, 3:12, :, 10:30] = 0
    assert not outside.any()
    with caplog.at_level(logging.WARNING):
        assert say_large_patch(cache, data.rows, data.patch_size, "0") == 3
    assert len(caplog.records) == 1
    assert "larger than 3 of 3 training cases (c0: [20, 24, 18])" in caplog.text
    assert say_large_patch(cache, data.rows, (5, 5, 5), "0") == say_large_patch(cache, data.rows, None, "0") == 0


def test_whole_volumes_and_labels(tmp_path):
    data = dataset(tmp_path, grids=((8, 9, 10),) * 2, size=None, labels=[1, 0], augmentation=BatchAugmentation())
    sample = data[SampleKey(0, 0, 1)]
    assert sample["image"].shape == (2, 8, 9, 10)
    assert int(sample["label"]) == 0
    assert "mask" not in sample
    batch = collate([replace(data, on_device=True)[SampleKey(0, 0, 1)]])
    changed = augmented_on_device(batch, CPU, False)
    assert torch.equal(changed["image"][0], sample["image"])
    assert "mask" not in changed


def test_spacing_decides_the_plane(tmp_path):
    turned = BatchAugmentation(Rotation(1.0), intensity=[])
    flat = dataset(tmp_path, augmentation=turned, spacings=[(5.0, 1.0, 1.0)] * 3, on_device=True)
    for position in range(5):
        matrix = flat[SampleKey(0, position, 0)]["crop"].plan.geometry.matrix
        assert not matrix[0, 1:].any()


def test_it_travels_to_another_process(tmp_path):
    data = dataset(tmp_path)
    again = pickle.loads(pickle.dumps(data))
    key = SampleKey(0, 5, 1)
    assert torch.equal(again[key]["image"], data[key]["image"])
    assert len(pickle.dumps(data)) < 50_000


def test_albumentations_have_no_device():
    with pytest.raises(ConfigError, match="albumentations have no device, expected a BatchAugmentation"):
        Training(augmentation=[], augment_on="device")
    assert Training(augmentation=BatchAugmentation(), augment_on="device").augment_on == "device"
