"""Another response of the film or display."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from torch import Tensor

from lit_medseg.augment.drawing import Range, about_one, check_probability, check_range
from lit_medseg.augment.intensity import Change, Intensity

_LEAST = 1e-7
"""Ranges and deviations below it are none: a flat channel stays flat."""


@dataclass(frozen=True)
class Gamma(Intensity):
    """Raise each channel, scaled to 0 and 1, to a power of its own; its mean and deviation stay as they were.

    Source of the defaults: nnU-Net 2.8.1, which has it twice: 0.3 as it is and 0.1 inverted.

    Attributes:
        probability: Share of samples that are changed.
        exponent: Below and above 1 equally often.
        inverted: Whether the power is taken of the negative, so that bright parts are spread.
    """

    probability: float = 0.3
    exponent: Range = (0.7, 1.5)
    inverted: bool = False

    def __post_init__(self) -> None:
        """Refuse unusable values.

        Raises:
            ConfigError: A probability or range is out of bounds.
        """
        check_probability("Gamma.probability", self.probability)
        check_range("Gamma.exponent", self.exponent, 0.01)

    def draw(self, rng: np.random.Generator, channels: int, spacing_mm: Sequence[float]) -> Change:
        """Draw the exponents."""
        exponents = [about_one(rng, self.exponent) for _ in range(channels)]
        return partial(bend_response, exponents=exponents, inverted=self.inverted)


def bend_response(image: Tensor, exponents: Sequence[float], inverted: bool) -> None:
    """Raise channels to powers in place, keeping mean and deviation."""
    for channel, exponent in zip(image, exponents, strict=True):
        mean, std = channel.mean(), channel.std(correction=0)
        low, high = torch.aminmax(channel)
        spread = (high - low).clamp(min=_LEAST)
        # Scale and shift of the power's result are free: mean and deviation are set afterwards.
        part = channel.sub_(high).div_(-spread) if inverted else channel.sub_(low).div_(spread)
        part.pow_(exponent)
        after = part.std(correction=0).clamp(min=_LEAST)
        gain = -std / after if inverted else std / after
        part.sub_(part.mean()).mul_(gain).add_(mean)
