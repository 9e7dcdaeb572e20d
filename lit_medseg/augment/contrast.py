"""Another contrast."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from torch import Tensor

from lit_medseg.augment.drawing import Range, about_one, check_probability, check_range
from lit_medseg.augment.intensity import Change, Intensity


@dataclass(frozen=True)
class Contrast(Intensity):
    """Stretch each channel about its mean by a factor of its own, and clip it to the range that it had.

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
        check_probability("Contrast.probability", self.probability)
        check_range("Contrast.factor", self.factor, 0)

    def draw(self, rng: np.random.Generator, channels: int, spacing_mm: Sequence[float]) -> Change:
        """Draw the factors."""
        return partial(stretch, factors=[about_one(rng, self.factor) for _ in range(channels)])


def stretch(image: Tensor, factors: Sequence[float]) -> None:
    """Stretch channels about their means in place, within their ranges."""
    for channel, factor in zip(image, factors, strict=True):
        mean = channel.mean()
        low, high = torch.aminmax(channel)
        channel.sub_(mean).mul_(factor).add_(mean).clamp_(low, high)
