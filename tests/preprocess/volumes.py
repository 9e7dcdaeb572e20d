"""Volumes at random places in space."""

import numpy as np
from scipy.spatial.transform import Rotation

from lit_medseg.imaging.volume import placed_volume


def oblique(seed, spacing_mm):
    """Give an affine with a random rotation, perhaps mirrored, and these distances."""
    rng = np.random.default_rng(seed)
    affine = np.eye(4)
    flips = np.diag(rng.choice([-1.0, 1.0], 3))
    affine[:3, :3] = Rotation.random(rng=rng).as_matrix() @ flips @ np.diag(spacing_mm)
    affine[:3, 3] = rng.normal(0, 100, 3)
    return affine


def blobs(seed, grid, labels=3):
    """Give an int16 image and codes that go with it: smooth blobs, single voxels and background."""
    rng = np.random.default_rng(seed)
    mask = np.zeros((1, *grid), np.uint8)
    for code in range(1, labels + 1):
        start = [int(rng.integers(0, side)) for side in grid]
        stop = [low + int(rng.integers(1, side + 1)) for low, side in zip(start, grid, strict=True)]
        mask[(0, *(slice(low, high) for low, high in zip(start, stop, strict=True)))] = code
    image = (mask.astype(np.int16) * 100 + rng.normal(40, 10, mask.shape)).astype(np.int16)
    return image, mask


def placed(seed, grid, spacing_mm, labels=3):
    """Give image and mask as volumes on one oblique grid."""
    affine = oblique(seed, spacing_mm)
    return tuple(placed_volume(array, affine) for array in blobs(seed, grid, labels))
