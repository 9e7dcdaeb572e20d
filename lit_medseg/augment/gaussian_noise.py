"""Noise of the receiver."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from torch import Tensor

from lit_medseg.augment.drawing import Range, check_probability, check_range, uniform
from lit_medseg.augment.intensity import Change, Intensity
from lit_medseg.augment.normal_noise import normal_noise


@dataclass(frozen=True)
class GaussianNoise(Intensity):
    """Add independent normal noise to every voxel of every channel.

    Source of the defaults: nnU-Net 2.8.1, whose `noise_variance` is used as the deviation.

    Attributes:
        probability: Share of samples that are changed.
        std: Deviation, in units of the normalised image; one is drawn a sample.
    """

    probability: float = 0.1
    std: Range = (0.0, 0.1)

    def __post_init__(self) -> None:
        """Refuse unusable values.

        Raises:
            ConfigError: A probability or range is out of bounds.
        """
        check_probability("GaussianNoise.probability", self.probability)
        check_range("GaussianNoise.std", self.std, 0)

    def draw(self, rng: np.random.Generator, channels: int, spacing_mm: Sequence[float]) -> Change:
        """Draw deviation and seed."""
        return partial(add_noise, std=uniform(rng, self.std), seed=int(rng.integers(2**63)))


def add_noise(image: Tensor, std: float, seed: int) -> None:
    """Add noise of a deviation in place."""
    image.add_(normal_noise(image.shape, seed, image.device), alpha=std)
