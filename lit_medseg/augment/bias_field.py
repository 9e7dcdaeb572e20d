"""Uneven sensitivity of a coil."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from itertools import product

import numpy as np
import torch
from torch import Tensor

from lit_medseg.augment.drawing import Range, check_probability, check_range
from lit_medseg.augment.intensity import Change, Intensity
from lit_medseg.errors import ConfigError, expected_got


@dataclass(frozen=True)
class BiasField(Intensity):
    """Multiply all channels, measured from their darkest voxel, by the exponential of a random polynomial.

    The darkest voxel stands for no signal: a normalised image's zero means nothing. Not among nnU-Net's defaults.
    Source: Van Leemput et al. 1999, doi:10.1109/42.811268 (polynomials in the logarithm).

    Attributes:
        probability: Share of samples that are changed.
        strength: Greatest coefficient of a term, drawn once a sample; coordinates go from -1 to 1 over the patch.
        order: Of the polynomial; its constant term is 0.
    """

    probability: float = 0.15
    strength: Range = (0.0, 0.3)
    order: int = 3

    def __post_init__(self) -> None:
        """Refuse unusable values.

        Raises:
            ConfigError: A probability, range or order is out of bounds.
        """
        check_probability("BiasField.probability", self.probability)
        check_range("BiasField.strength", self.strength, 0, 5)
        if not 1 <= self.order <= 6:
            raise ConfigError(expected_got("BiasField.order", "unusable", "1 to 6", self.order, "Correct it"))

    def draw(self, rng: np.random.Generator, channels: int, spacing_mm: Sequence[float]) -> Change:
        """Draw the coefficients."""
        low, high = self.strength
        strength = low + (high - low) * rng.random()
        terms = [powers for powers in product(range(self.order + 1), repeat=len(spacing_mm)) if _wanted(powers, self)]
        values = rng.uniform(-strength, strength, len(terms)).tolist()
        return partial(shade, terms=dict(zip(terms, values, strict=True)))


def _wanted(powers: Sequence[int], field: BiasField) -> bool:
    """Tell whether a term is not constant and within the order."""
    return 1 <= sum(powers) <= field.order


def shade(image: Tensor, terms: dict[tuple[int, ...], float]) -> None:
    """Multiply by the exponential of a polynomial in place: a coefficient for every tuple of powers."""
    size = image.shape[1:]
    lines = [
        torch.linspace(-1, 1, side, device=image.device).view([-1 if at == axis else 1 for at in range(len(size))])
        for axis, side in enumerate(size)
    ]
    field = torch.zeros(size, device=image.device)
    for powers, value in terms.items():
        term = torch.full([1] * len(size), value, device=image.device)
        for line, power in zip(lines, powers, strict=True):
            term = term * line**power if power else term
        field.add_(term)
    field.exp_()
    for channel in image:
        low = channel.min()
        channel.sub_(low).mul_(field).add_(low)
