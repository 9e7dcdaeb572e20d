"""Where a resized array lies."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from lit_medseg.imaging.volume import Volume


def resized_place(volume: Volume, array: NDArray[Any]) -> Volume:
    """Give the place of a volume to its resampled array: the same field of view, another spacing.

    Args:
        volume: As it was.
        array: `(C, *S)` with another S.

    Returns:
        The array with its spacing and affine. Voxel centres: index i of the new grid lies at (i + 1/2) * ratio - 1/2 of
        the old one.
    """
    ratio = [old / new for old, new in zip(volume.grid, array.shape[1:], strict=True)]
    spacing = tuple(mm * part for mm, part in zip(volume.spacing_mm, ratio, strict=True))
    if volume.affine is None:
        return Volume(array, spacing)
    step = np.eye(4)
    for axis, part in enumerate(ratio):
        step[axis, axis], step[axis, 3] = part, (part - 1) / 2
    return Volume(array, spacing, volume.affine @ step)
