"""Erosion and dilation with a ball whose radius is given in mm."""

import math

import numpy as np
from scipy import ndimage

from lit_medseg.errors import ConfigError, expected_got
from lit_medseg.inference.post_process.post_process import Mask

_SLACK = 1 + 1e-6
"""Three voxels of 0.1 mm are within 0.3 mm."""


def check_radius(where: str, radius_mm: float) -> None:
    """Refuse a radius that is no length.

    Raises:
        ConfigError: It is not above 0, or not finite.
    """
    if not 0 < radius_mm < math.inf:
        raise ConfigError(expected_got(where, "not a length", "a length", radius_mm, "Give a radius above 0"))


def eroded(mask: Mask, radius_mm: float, spacing_mm: tuple[float, ...]) -> Mask:
    """Keep the voxels whose ball lies in the mask; beyond the array nothing is known, and nothing takes away.

    Args:
        mask: `(*S)` bool.
        radius_mm: A voxel belongs to the ball where its centre is this far or nearer.
        spacing_mm: Distance of voxel centres along each axis.
    """
    return ~dilated(~mask, radius_mm, spacing_mm)


def dilated(mask: Mask, radius_mm: float, spacing_mm: tuple[float, ...]) -> Mask:
    """Add every voxel that lies in the ball of a voxel of the mask; arguments as for `eroded`."""
    if not mask.any():
        return mask.copy()
    distance = ndimage.distance_transform_edt(~mask, sampling=spacing_mm)
    near: Mask = np.asarray(distance) <= radius_mm * _SLACK
    return near


def reach(radius_mm: float, spacing_mm: tuple[float, ...]) -> tuple[int, ...]:
    """Give how many voxels the ball reaches along each axis, and one more."""
    return tuple(math.ceil(radius_mm / step) + 1 for step in spacing_mm)
