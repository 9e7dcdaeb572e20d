"""A coarser scan."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from torch import Tensor
from torch.nn.functional import interpolate

from lit_medseg.augment.anisotropy import coarse_axes
from lit_medseg.augment.drawing import Range, check_probability, check_range, uniform
from lit_medseg.augment.intensity import Change, Intensity


@dataclass(frozen=True)
class LowResolution(Intensity):
    """Take fewer voxels of a channel along every axis but coarse ones (nearest), and bring them back (linear).

    Source of the defaults: Isensee et al. 2021, doi:10.1038/s41592-020-01008-z, supplementary note 4; nnU-Net 2.8.1.

    Attributes:
        probability: Share of samples that are changed.
        factor: Voxels that are left along an axis; one number is drawn for each channel.
        channel_probability: Share of the channels of a changed sample.
    """

    probability: float = 0.25
    factor: Range = (0.5, 1.0)
    channel_probability: float = 0.5

    def __post_init__(self) -> None:
        """Refuse unusable values.

        Raises:
            ConfigError: A probability or range is out of bounds.
        """
        check_probability("LowResolution.probability", self.probability)
        check_probability("LowResolution.channel_probability", self.channel_probability)
        check_range("LowResolution.factor", self.factor, 0.01, 1)

    def draw(self, rng: np.random.Generator, channels: int, spacing_mm: Sequence[float]) -> Change:
        """Draw the channels and their factors."""
        coarse = coarse_axes(spacing_mm)
        factors: dict[int, list[float]] = {}
        for channel in range(channels):
            if rng.random() < self.channel_probability:
                factor = uniform(rng, self.factor)
                factors[channel] = [1.0 if axis in coarse else factor for axis in range(len(spacing_mm))]
        return partial(coarsen, factors=factors)


def coarsen(image: Tensor, factors: dict[int, list[float]]) -> None:
    """Take channels to fewer voxels and back, in place."""
    size = image.shape[1:]
    mode = "trilinear" if len(size) == 3 else "bilinear"
    for channel, kept in factors.items():
        fewer = [max(1, round(side * factor)) for side, factor in zip(size, kept, strict=True)]
        if fewer != list(size):
            small = interpolate(image[channel][None, None], fewer, mode="nearest-exact")
            image[channel] = interpolate(small, list(size), mode=mode, align_corners=False)[0, 0]
