"""Another zero of the scanner."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from torch import Tensor

from lit_medseg.augment.drawing import Range, check_probability, check_range, uniform
from lit_medseg.augment.intensity import Change, Intensity


@dataclass(frozen=True)
class BrightnessShift(Intensity):
    """Add a number of its own to each channel. Not among nnU-Net's defaults.

    Attributes:
        probability: Share of samples that are changed.
        shift: In units of the normalised image.
    """

    probability: float = 0.15
    shift: Range = (-0.2, 0.2)

    def __post_init__(self) -> None:
        """Refuse unusable values.

        Raises:
            ConfigError: A probability or range is out of bounds.
        """
        check_probability("BrightnessShift.probability", self.probability)
        check_range("BrightnessShift.shift", self.shift, -float("inf"))

    def draw(self, rng: np.random.Generator, channels: int, spacing_mm: Sequence[float]) -> Change:
        """Draw the shifts."""
        return partial(shift_channels, shifts=[uniform(rng, self.shift) for _ in range(channels)])


def shift_channels(image: Tensor, shifts: Sequence[float]) -> None:
    """Add to channels in place."""
    for channel, shift in zip(image, shifts, strict=True):
        channel.add_(shift)
