"""Tiny NIfTI volumes for the tests of this package."""

from pathlib import Path

import nibabel
import numpy as np

AFFINE = np.array([[1.5, 0.2, 0, -20], [-0.2, 1.4, 0.1, 30], [0, -0.1, 3, 5], [0, 0, 0, 1]])


def write_nifti(path: Path, array: np.ndarray, affine: np.ndarray = AFFINE) -> None:
    """Write `(i, j, k)` as nibabel does."""
    path.parent.mkdir(parents=True, exist_ok=True)
    nibabel.save(nibabel.Nifti1Image(array, affine), path)


def image(seed: int = 0, shape: tuple[int, ...] = (7, 6, 5)) -> np.ndarray:
    return np.random.default_rng(seed).integers(-100, 1000, shape).astype(np.int16)


def mask(seed: int = 0, shape: tuple[int, ...] = (7, 6, 5), values: tuple[int, ...] = (0, 1, 2)) -> np.ndarray:
    return np.random.default_rng(seed + 99).choice(np.array(values, np.uint8), shape)


def flipped(array: np.ndarray, affine: np.ndarray = AFFINE) -> tuple[np.ndarray, np.ndarray]:
    """The same volume written in another orientation: first axis reversed, first and last exchanged."""
    other = affine.copy()
    other[:3, 3] += other[:3, 0] * (array.shape[0] - 1)
    other[:3, 0] *= -1
    return np.ascontiguousarray(array[::-1].transpose(2, 1, 0)), other[:, [2, 1, 0, 3]]


def moved(mm: float, affine: np.ndarray = AFFINE) -> np.ndarray:
    """The same orientation, shifted along the first world axis."""
    other = affine.copy()
    other[0, 3] += mm
    return other
