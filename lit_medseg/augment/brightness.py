"""Another gain of the scanner."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from torch import Tensor

from lit_medseg.augment.drawing import Range, about_one, check_probability, check_range
from lit_medseg.augment.intensity import Change, Intensity


@dataclass(frozen=True)
class Brightness(Intensity):
    """Multiply each channel by a factor of its own.

    Source of the defaults: nnU-Net 2.8.1.

    Attributes:
        probability: Share of samples that are changed.
        factor: Below and above 1 equally often.
    """

    probability: float = 0.15
    factor: Range = (0.75, 1.25)

    def __post_init__(self) -> None:
        """Refuse unusable values.

        Raises:
            ConfigError: A probability or range is out of bounds.
        """
        check_probability("Brightness.probability", self.probability)
        check_range("Brightness.factor", self.factor, 0)

    def draw(self, rng: np.random.Generator, channels: int, spacing_mm: Sequence[float]) -> Change:
        """Draw the factors."""
        return partial(multiply, factors=[about_one(rng, self.factor) for _ in range(channels)])


def multiply(image: Tensor, factors: Sequence[float]) -> None:
    """Multiply channels in place."""
    for channel, factor in zip(image, factors, strict=True):
        channel.mul_(factor)
