"""Exchanging the ends of axes."""

from dataclasses import dataclass

import numpy as np

from lit_medseg.augment.drawing import check_probability
from lit_medseg.errors import ConfigError, expected_got


@dataclass(frozen=True)
class Mirror:
    """Mirror each axis on its own; exact, voxels move to voxels.

    Source of the defaults: nnU-Net 2.8.1 (every axis, one half). Left and right mean something in a body: leave the
    axis out where a class depends on its side.

    Attributes:
        probability: Of each axis.
        axes: Which, in the order of the array's axes from 0; None for all.
    """

    probability: float = 0.5
    axes: tuple[int, ...] | None = None

    def __post_init__(self) -> None:
        """Refuse unusable values.

        Raises:
            ConfigError: Not a probability, or not axes.
        """
        check_probability("Mirror.probability", self.probability)
        if any(axis not in (0, 1, 2) for axis in self.axes or ()):
            raise ConfigError(expected_got("Mirror.axes", "not axes", "0, 1 or 2", self.axes, "Correct it"))

    def draw(self, rng: np.random.Generator, axes: int) -> tuple[int, ...]:
        """Draw the axes that are mirrored.

        Args:
            rng: Draws.
            axes: Spatial axes of the image; those of `self.axes` beyond them are left out.
        """
        allowed = range(axes) if self.axes is None else [axis for axis in self.axes if axis < axes]
        return tuple(axis for axis in allowed if rng.random() < self.probability)
