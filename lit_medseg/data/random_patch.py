"""A random part of a training case."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]


def random_patch(
    image: Array,
    mask: Array | None,
    size: Sequence[int],
    foreground: float,
    rng: np.random.Generator,
    balanced: bool = False,
) -> tuple[Array, Array | None]:
    """Cut the same random patch out of image and mask; sides that are too short are mirrored first.

    Args:
        image: `(C, *S)`.
        mask: `(1, *S)` or `(K, *S)`, 0 is background; None for classification.
        size: Patch size in the order of the axes S.
        foreground: Probability that the patch is placed around a random foreground pixel; without any, anywhere.
        rng: Draws the same numbers for the same case.
        balanced: Whether a class of the case is drawn first, each as likely, and then one of its pixels.

    Returns:
        Patches `(C, *size)` and `(K, *size)`; views where nothing had to be mirrored.
    """
    if image.shape[1:] == tuple(size):
        return image, mask
    centre = None
    if mask is not None and rng.random() < foreground:
        centre = _foreground_centre(_one_class(mask, rng) if balanced else mask, rng)
    corner = []
    for axis, side in enumerate(size):
        free = max(0, image.shape[axis + 1] - side)
        if centre is None:
            corner.append(int(rng.integers(free + 1)))
        else:
            corner.append(min(max(0, int(centre[axis]) - int(rng.integers(side))), free))
    return _cut(image, corner, size), None if mask is None else _cut(mask, corner, size)


def _foreground_centre(mask: Array, rng: np.random.Generator) -> NDArray[np.int64] | None:
    """Choose one foreground pixel; None without foreground."""
    found = np.flatnonzero(mask.any(axis=0))
    if found.size == 0:
        return None
    return np.array(np.unravel_index(found[rng.integers(found.size)], mask.shape[1:]), dtype=np.int64)


def _one_class(mask: Array, rng: np.random.Generator) -> Array:
    """Give the pixels of one class that the case has; all, and none, without foreground."""
    if len(mask) > 1:
        present = [plane for plane in mask if plane.any()]
        return present[int(rng.integers(len(present)))][np.newaxis] if present else mask
    codes = np.unique(mask[mask > 0])
    wanted: Array = mask == codes[rng.integers(codes.size)] if codes.size else mask
    return wanted


def _cut(array: Array, corner: Sequence[int], size: Sequence[int]) -> Array:
    """Cut a patch, and mirror what is missing at both ends."""
    part = array[(slice(None), *(slice(start, start + side) for start, side in zip(corner, size, strict=True)))]
    missing = [side - length for side, length in zip(size, part.shape[1:], strict=True)]
    if not any(missing):
        return part
    return np.pad(part, [(0, 0), *((gap // 2, gap - gap // 2) for gap in missing)], mode="reflect")
