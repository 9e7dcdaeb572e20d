"""Tiny data sets of volumes as the modalities' scanners store them."""

import numpy as np

from data_modules.ct import CTDataModule
from data_modules.microscopy import MicroscopyDataModule
from data_modules.mri import MRIDataModule
from data_modules.ultrasound import UltrasoundDataModule
from lit_medseg.catalogue.class_folders import ClassFolders
from lit_medseg.catalogue.folder_pairs import FolderPairs
from lit_medseg.data.loading import Loading
from lit_medseg.data.preparation import Preparation
from lit_medseg.data.training import Training
from lit_medseg.data.truth import Truth
from lit_medseg.imaging.volume import Volume, placed_volume
from lit_medseg.imaging.write_nifti import write_nifti

# Background, body, organ, lesion; noise; the largest factor between two scanners (1: an absolute scale).
LOOKS = {
    CTDataModule: ((-1000, 40, 120, 220), 15, 1),
    MRIDataModule: ((0, 300, 600, 900), 20, 4),
    UltrasoundDataModule: ((2, 60, 130, 200), 10, 1.3),
    MicroscopyDataModule: ((100, 140, 900, 2500), 30, 3),
}
GRIDS = ((20, 26, 24), (14, 28, 26))  # slices, rows, columns
SPACINGS = ((2.0, 1.0, 1.0), (3.0, 0.9, 0.9))
# Rows and columns of the scanner in the patient's axes: axial (left, back, head) and sagittal.
DIRECTIONS = (np.diag([-1.0, -1.0, 1.0]), np.array([[0, 0, -1.0], [-1, 0, 0], [0, -1, 0]]))


def anatomy(number, grid):
    """Give codes 0 to 3: a body with an organ on one side, and a lesion in it."""
    rng = np.random.default_rng(number)
    places = np.meshgrid(*(np.linspace(-1, 1, side) for side in grid), indexing="ij")
    tissue = np.zeros(grid, np.uint8)
    tissue[sum(place**2 for place in places) < 0.9] = 1
    centre = rng.uniform(-0.15, 0.15, 3)
    away = sum((place - at) ** 2 for place, at in zip(places, centre, strict=True))
    tissue[away < 0.25] = 2
    tissue[away < 0.05] = 3
    return tissue


def scan(kind, number, grid):
    """Give an int16 image and its mask (organ 1, lesion 2)."""
    levels, noise, spread = LOOKS[kind]
    rng = np.random.default_rng([7, number])
    tissue = anatomy(number, grid)
    image = np.array(levels, float)[tissue] + rng.normal(0, noise, grid)
    gain = 1 if spread == 1 else rng.uniform(1, spread)
    return np.rint(image * gain).astype(np.int16)[None], np.maximum(tissue.astype(np.int16) - 1, 0).astype(np.uint8)[
        None
    ]


def placed(array, number):
    """Put an array (slices, rows, columns) where scanner `number % 2` puts it."""
    which = number % 2
    affine = np.eye(4)
    affine[:3, :3] = DIRECTIONS[which][:, ::-1] @ np.diag(SPACINGS[which])
    affine[:3, 3] = (11 * number, -5, 30)
    return placed_volume(array, affine)


def write_pairs(root, kind, patients=10, place=placed):
    """One volume a patient, from two scanners of other spacing and direction."""
    for number in range(patients):
        image, mask = scan(kind, number, GRIDS[number % 2])
        write_nifti(root / "images" / f"p{number:02}.nii", place(image, number))
        write_nifti(root / "masks" / f"p{number:02}.nii", place(mask, number))
    return FolderPairs(str(root), patient_pattern=r"(p\d+)")


def write_classes(root, kind, patients=10):
    """Class `large` has more of the lesion's intensity."""
    for number in range(patients):
        name = "large" if number % 2 else "small"
        image, mask = scan(kind, number, GRIDS[0])
        image[mask == 1] += np.int16(20 * (number % 2))
        write_nifti(root / name / f"q{number:02}.nii", placed(image, 0))
    return ClassFolders(str(root), patient_pattern=r"(q\d+)")


def segmentation(tmp_path, kind, source=None, **changes):
    settings = {
        "truth": Truth(masks={"organ": 1, "lesion": 2}),
        "preparation": Preparation(cache_dir=str(tmp_path / "cache")),
        "training": Training(patch_size=[12, 16, 16], foreground=0.5),
        "loading": Loading(batch_size=4, eval_batch_size=1, workers=0),
        **changes,
    }
    return kind(write_pairs(tmp_path / "pairs", kind) if source is None else source, **settings)


def classification(tmp_path, kind):
    return kind(
        write_classes(tmp_path / "classes", kind),
        truth=Truth(labels=["small", "large"]),
        preparation=Preparation(cache_dir=str(tmp_path / "cache")),
        training=Training(patch_size=[12, 16, 16]),
        loading=Loading(batch_size=4, eval_batch_size=1, workers=0),
    )


def unplaced(array, number):
    """The same without a place in space."""
    return Volume(array, (1.0,) * (array.ndim - 1))
