"""Leaning an image over."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lit_medseg.augment.drawing import Range, check_probability, check_range, uniform
from lit_medseg.augment.rotation import turning_planes


@dataclass(frozen=True)
class Shear:
    """Move along one axis in proportion to another, in millimetres per millimetre; not through a coarse axis.

    Attributes:
        probability: Share of samples that are sheared; nnU-Net shears none.
        slope: Of every pair of axes; 0.1 leans by 5.7 degrees.
    """

    probability: float = 0.0
    slope: Range = (-0.1, 0.1)

    def __post_init__(self) -> None:
        """Refuse unusable values.

        Raises:
            ConfigError: A probability or range is out of bounds.
        """
        check_probability("Shear.probability", self.probability)
        check_range("Shear.slope", self.slope, -0.5, 0.5)

    def draw(self, rng: np.random.Generator, spacing_mm: Sequence[float]) -> NDArray[np.float64] | None:
        """Draw a matrix with ones on its diagonal and volume 1, `(axes, axes)`; None where none is due."""
        if rng.random() >= self.probability:
            return None
        matrix = np.eye(len(spacing_mm))
        for first, second in turning_planes(spacing_mm):
            matrix[first, second] = uniform(rng, self.slope)
        return matrix
