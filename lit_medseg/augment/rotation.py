"""Turning an image."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from lit_medseg.augment.anisotropy import coarse_axes
from lit_medseg.augment.drawing import Range, check_probability, check_range, uniform


@dataclass(frozen=True)
class Rotation:
    """Turn about every axis by angles of their own; about the coarse axis alone where one is coarse.

    Angles hold in millimetres: a sphere stays a sphere whatever the spacing.

    Source of the defaults: Isensee et al. 2021, doi:10.1038/s41592-020-01008-z, supplementary note 4; nnU-Net 2.8.1.

    Attributes:
        probability: Share of samples that are turned.
        degrees: Angle about each of three axes.
        in_plane_degrees: Angle where there is one plane to turn in: pictures, and volumes with a coarse axis.
    """

    probability: float = 0.2
    degrees: Range = (-30.0, 30.0)
    in_plane_degrees: Range = (-180.0, 180.0)

    def __post_init__(self) -> None:
        """Refuse unusable values.

        Raises:
            ConfigError: A probability or range is out of bounds.
        """
        check_probability("Rotation.probability", self.probability)
        check_range("Rotation.degrees", self.degrees, -180, 180)
        check_range("Rotation.in_plane_degrees", self.in_plane_degrees, -180, 180)

    def draw(self, rng: np.random.Generator, spacing_mm: Sequence[float]) -> NDArray[np.float64] | None:
        """Draw a rotation in millimetres, `(axes, axes)`; None where none is due."""
        if rng.random() >= self.probability:
            return None
        planes = turning_planes(spacing_mm)
        bounds = self.in_plane_degrees if len(planes) == 1 else self.degrees
        matrix = np.eye(len(spacing_mm))
        for plane in planes:
            matrix = plane_rotation(len(spacing_mm), plane, uniform(rng, bounds)) @ matrix
        return matrix


def turning_planes(spacing_mm: Sequence[float]) -> list[tuple[int, int]]:
    """List the pairs of axes that an image can be turned in: those that are not coarse."""
    coarse = coarse_axes(spacing_mm)
    return list(combinations([axis for axis in range(len(spacing_mm)) if axis not in coarse], 2))


def plane_rotation(axes: int, plane: tuple[int, int], degrees: float) -> NDArray[np.float64]:
    """Give the rotation of one plane.

    Args:
        axes: Spatial axes.
        plane: Two of them; a positive angle turns the first towards the second.
        degrees: The angle.

    Returns:
        `(axes, axes)`.
    """
    angle = np.deg2rad(degrees)
    first, second = plane
    matrix = np.eye(axes)
    matrix[first, first] = matrix[second, second] = np.cos(angle)
    matrix[second, first], matrix[first, second] = np.sin(angle), -np.sin(angle)
    return matrix
