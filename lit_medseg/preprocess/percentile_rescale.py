"""Intensities between two percentiles to [0, 1]."""

from dataclasses import dataclass

import numpy as np

from lit_medseg.errors import ConfigError
from lit_medseg.imaging.volume import Volume
from lit_medseg.preprocess.selective_step import SelectiveStep


@dataclass(frozen=True)
class PercentileRescale(SelectiveStep):
    """Each channel of each image is stretched between two of its own percentiles and clipped to [0, 1], float32.

    For intensities without a unit (MRI, fluorescence): scanners and exposures become comparable, and a few very bright
    pixels do not darken the rest.

    Source: Isensee et al. 2021, doi:10.1038/s41592-020-01008-z (0.5 and 99.5 percentile clipping; there for CT).

    Attributes:
        low: Percentile that becomes 0.
        high: Percentile that becomes 1.
        jointly: One pair of percentiles for all channels of an image, so that colours keep their hue.
        channels: Names of the channels to change; None for all.
    """

    low: float = 0.5
    high: float = 99.5
    jointly: bool = False

    def __post_init__(self) -> None:
        """Refuse percentiles out of order.

        Raises:
            ConfigError: Not 0 <= low < high <= 100.
        """
        if not 0 <= self.low < self.high <= 100:
            got = f"{self.low} and {self.high}"
            raise ConfigError(
                f"percentile_rescale: unusable, expected 0 <= low < high <= 100, got {got}. Correct them."
            )

    def change(self, image: Volume) -> Volume:
        """Stretch and clip; a constant channel becomes 0."""
        array = image.array.astype(np.float64)
        axes = tuple(range(0 if self.jointly else 1, array.ndim))
        low, high = np.percentile(array, [self.low, self.high], axis=axes, keepdims=True)
        width = high - low
        # A channel that is constant but for a few pixels has no width: its own range takes over.
        flat = width == 0
        low = np.where(flat, array.min(axis=axes, keepdims=True), low)
        width = np.where(flat, array.max(axis=axes, keepdims=True) - low, width)
        scaled = (array - low) / np.where(width == 0, 1.0, width)
        return image.with_array(np.clip(scaled, 0.0, 1.0).astype(np.float32))
