"""Showing more or less of the surroundings."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lit_medseg.augment.drawing import Range, check_probability, check_range, uniform


@dataclass(frozen=True)
class Scaling:
    """Stretch the field of view: at 1.4 a patch shows 1.4 times as much along each axis, and organs are smaller.

    Source of the defaults: Isensee et al. 2021, doi:10.1038/s41592-020-01008-z, supplementary note 4; nnU-Net 2.8.1.

    Attributes:
        probability: Share of samples that are scaled.
        factor: Of the field of view.
        per_axis: Whether every axis has a factor of its own.
    """

    probability: float = 0.2
    factor: Range = (0.7, 1.4)
    per_axis: bool = False

    def __post_init__(self) -> None:
        """Refuse unusable values.

        Raises:
            ConfigError: A probability or range is out of bounds.
        """
        check_probability("Scaling.probability", self.probability)
        check_range("Scaling.factor", self.factor, 0.01, 100)

    def draw(self, rng: np.random.Generator, spacing_mm: Sequence[float]) -> NDArray[np.float64] | None:
        """Draw a diagonal matrix, `(axes, axes)`; None where none is due."""
        if rng.random() >= self.probability:
            return None
        if self.per_axis:
            return np.diag([uniform(rng, self.factor) for _ in spacing_mm])
        return np.eye(len(spacing_mm)) * uniform(rng, self.factor)
