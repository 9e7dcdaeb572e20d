"""A picture, its probabilities or its codes on another grid."""

from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from lit_medseg.errors import DataError
from lit_medseg.imaging.volume import Volume

Plane = NDArray[Any]


def intensities_onto(volume: Volume, grid: tuple[int, int]) -> Volume:
    """Resample images or probabilities: averages over areas when both sides shrink, else bilinear.

    Args:
        volume: `(C, H, W)`; integers are rounded, the dtype stays.
        grid: Height and width to reach.

    Returns:
        The volume with spacing and affine of the new grid (the field of view stays); the same one if it is there.

    Raises:
        DataError: The volume has three spatial dimensions.
    """
    return _onto(volume, grid, _resize)


def codes_onto(volume: Volume, grid: tuple[int, int]) -> Volume:
    """Resample class codes label by label: each pixel takes the label that covers most of it.

    Nearest-neighbour drops structures thinner than the new pixel; each label as an area of its own does not favour any.
    A tie goes to the lower code.

    Args:
        volume: `(1, H, W)` codes or `(K, H, W)` planes of 0 and 1, integers.
        grid: Height and width to reach.

    Returns:
        As `intensities_onto`; no code appears that was not there.

    Raises:
        DataError: The volume has three spatial dimensions.
    """
    return _onto(volume, grid, _resize_codes)


def _onto(volume: Volume, grid: tuple[int, int], resize: Callable[[Plane, tuple[int, int]], Plane]) -> Volume:
    """Resize every plane and move spacing and affine along."""
    if len(volume.grid) != 2:
        raise DataError(
            f"resize: unusable image, expected two spatial dimensions, got {volume.grid}. Take slices first."
        )
    if volume.grid == grid:
        return volume
    array = np.stack([resize(np.ascontiguousarray(plane), grid) for plane in volume.array])
    ratio = [old / new for old, new in zip(volume.grid, grid, strict=True)]
    spacing = tuple(mm * part for mm, part in zip(volume.spacing_mm, ratio, strict=True))
    if volume.affine is None:
        return Volume(array, spacing)
    step = np.diag([*ratio, 1.0, 1.0])
    # Sample centres: index i of the new grid lies at (i + 1/2) * ratio - 1/2 of the old one.
    step[:2, 3] = [(part - 1) / 2 for part in ratio]
    return Volume(array, spacing, volume.affine @ step)


def _resize(plane: Plane, grid: tuple[int, int]) -> Plane:
    """Resize one plane with the same field of view."""
    height, width = grid
    shrinks = height <= plane.shape[0] and width <= plane.shape[1]
    known = plane if plane.dtype in (np.uint8, np.uint16, np.float32, np.float64) else plane.astype(np.float64)
    resized = cv2.resize(known, (width, height), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)
    if np.issubdtype(plane.dtype, np.integer) and resized.dtype != plane.dtype:
        resized = np.rint(resized)
    return resized.astype(plane.dtype, copy=False)


def _resize_codes(plane: Plane, grid: tuple[int, int]) -> Plane:
    """Let the labels of one plane compete for each new pixel."""
    labels = np.unique(plane)
    best, winner = np.full(grid, -1.0, dtype=np.float32), np.full(grid, labels[0], dtype=plane.dtype)
    for label in labels:
        share = _resize((plane == label).astype(np.float32), grid)
        wins = share > best
        best[wins], winner[wins] = share[wins], label
    return winner
