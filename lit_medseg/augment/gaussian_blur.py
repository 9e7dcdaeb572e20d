"""A wider point spread."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from torch import Tensor

from lit_medseg.augment.drawing import Range, check_probability, check_range, uniform
from lit_medseg.augment.intensity import Change, Intensity

_LEAST = 0.2
"""Below this a Gaussian's neighbours weigh under 4e-6."""


@dataclass(frozen=True)
class GaussianBlur(Intensity):
    """Blur channels along every axis by widths of their own.

    Widths are in voxels of the finest axis: along an axis with twice the spacing half as many voxels.

    Source of the defaults: Isensee et al. 2021, doi:10.1038/s41592-020-01008-z, supplementary note 4; nnU-Net 2.8.1.

    Attributes:
        probability: Share of samples that are changed.
        sigma: Width of the Gaussian, in voxels of the finest axis; one is drawn for each channel and axis.
        channel_probability: Share of the channels of a changed sample.
    """

    probability: float = 0.2
    sigma: Range = (0.5, 1.0)
    channel_probability: float = 0.5

    def __post_init__(self) -> None:
        """Refuse unusable values.

        Raises:
            ConfigError: A probability or range is out of bounds.
        """
        check_probability("GaussianBlur.probability", self.probability)
        check_probability("GaussianBlur.channel_probability", self.channel_probability)
        check_range("GaussianBlur.sigma", self.sigma, 0)

    def draw(self, rng: np.random.Generator, channels: int, spacing_mm: Sequence[float]) -> Change:
        """Draw the channels and their widths."""
        finest = min(spacing_mm)
        chosen = [channel for channel in range(channels) if rng.random() < self.channel_probability]
        widths = [[uniform(rng, self.sigma) * finest / spacing for spacing in spacing_mm] for _ in chosen]
        return partial(blur_channels, sigmas=dict(zip(chosen, widths, strict=True)))


def blur_channels(image: Tensor, sigmas: dict[int, list[float]]) -> None:
    """Blur channels in place, by a width for each axis."""
    for channel, widths in sigmas.items():
        blurred = image[channel]
        for axis, sigma in enumerate(widths):
            blurred = blur_axis(blurred, axis, sigma)
        image[channel] = blurred


def blur_axis(array: Tensor, axis: int, sigma: float) -> Tensor:
    """Blur along one axis, cut off at three widths; the border is mirrored, its voxel not repeated.

    Args:
        array: `(*S)` float32; an axis of one voxel is left alone.
        axis: From 0.
        sigma: In voxels.

    Returns:
        Another tensor, or the given one where nothing changes.
    """
    side = array.shape[axis]
    radius = min(math.ceil(3 * sigma), side - 1)
    if radius < 1 or sigma < _LEAST:
        return array
    weights = [math.exp(-0.5 * (step / sigma) ** 2) for step in range(radius + 1)]
    total = weights[0] + 2 * sum(weights[1:])
    padded = _mirrored_ends(array, axis, radius)
    blurred = padded.narrow(axis, radius, side) * (weights[0] / total)
    for step, weight in enumerate(weights[1:], start=1):
        for start in (radius - step, radius + step):
            blurred.add_(padded.narrow(axis, start, side), alpha=weight / total)
    return blurred


def _mirrored_ends(array: Tensor, axis: int, radius: int) -> Tensor:
    """Continue an axis at both ends by its mirror image."""
    side = array.shape[axis]
    before = array.narrow(axis, 1, radius).flip(axis)
    after = array.narrow(axis, side - 1 - radius, radius).flip(axis)
    return torch.cat([before, array, after], dim=axis)
