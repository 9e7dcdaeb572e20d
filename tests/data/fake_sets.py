"""Tiny data sets on disk, and a data module without defaults."""

from itertools import chain

import numpy as np

from lit_medseg.catalogue.class_folders import ClassFolders
from lit_medseg.catalogue.folder_pairs import FolderPairs
from lit_medseg.data.datamodule import CaseDataModule
from lit_medseg.data.loading import Loading
from lit_medseg.data.preparation import Preparation
from lit_medseg.data.training import Training
from lit_medseg.data.truth import Truth
from lit_medseg.imaging.write_png import write_png
from lit_medseg.preprocess.standardize import Standardize

FLIPS = [
    {"class_path": "albumentations.HorizontalFlip", "init_args": {"p": 0.5}},
    {"class_path": "albumentations.Affine", "init_args": {"rotate": [-30, 30], "scale": [0.8, 1.2], "p": 0.7}},
    {"class_path": "albumentations.GaussNoise", "init_args": {"p": 0.5}},
]


class BareDataModule(CaseDataModule):
    def default_preprocess(self):
        return []

    def default_normalize(self):
        return Standardize()

    def default_augmentation(self):
        return FLIPS


def picture(rng, grid, colour):
    image = rng.integers(0, 120, (3 if colour else 1, *grid)).astype(np.uint8)
    mask = np.zeros(grid, np.uint8)
    row, column = (int(rng.integers(2, side - 12)) for side in grid)
    mask[row : row + 9, column : column + 9] = 255
    mask[row : row + 4, column : column + 4] = 128
    return image + (mask // 3), mask


def write_pairs(root, patients=12, grids=((32, 40),), colour=True):
    """Two images a patient, with an organ (255) and a lesion (128) in each."""
    for patient in range(patients):
        for number in range(2):
            grid = grids[(2 * patient + number) % len(grids)]
            image, mask = picture(np.random.default_rng([patient, number]), grid, colour)
            write_png(root / "images" / f"p{patient:02}_{number}.png", image)
            write_png(root / "masks" / f"p{patient:02}_{number}.png", mask)
    return FolderPairs(str(root), patient_pattern=r"(p\d+)_")


def write_classes(root, counts=None):
    """Single images of patients; class `bright` is brighter."""
    counts = {"dark": 14, "bright": 7} if counts is None else counts
    cases = chain.from_iterable([(name, number) for number in range(count)] for name, count in counts.items())
    for patient, (name, number) in enumerate(cases):
        image = np.random.default_rng(patient).integers(0, 100, (1, 28, 28)).astype(np.uint8)
        write_png(root / name / f"q{patient:02}_{number}.png", image + (100 if name == "bright" else 0))
    return ClassFolders(str(root), patient_pattern=r"(q\d+)_")


def segmentation(tmp_path, kind=BareDataModule, grids=((32, 40),), **changes):
    settings = {
        "truth": Truth(masks={"organ": 255, "lesion": 128}),
        "preparation": Preparation(cache_dir=str(tmp_path / "cache")),
        "training": Training(patch_size=[24, 24], foreground=0.5),
        "loading": Loading(batch_size=6, eval_batch_size=3, workers=0),
        **changes,
    }
    return kind(write_pairs(tmp_path / "pairs", grids=grids), **settings)


def classification(tmp_path, kind=BareDataModule, **changes):
    settings = {
        "truth": Truth(labels=["dark", "bright"]),
        "preparation": Preparation(cache_dir=str(tmp_path / "cache")),
        "loading": Loading(batch_size=6, eval_batch_size=3, workers=0),
        **changes,
    }
    return kind(write_classes(tmp_path / "classes"), **settings)
