"""Outliers cut off."""

from dataclasses import dataclass

import numpy as np

from lit_medseg.errors import ConfigError, expected_got
from lit_medseg.imaging.volume import Volume
from lit_medseg.preprocess.region import Region, values_within
from lit_medseg.preprocess.selective_step import SelectiveStep


@dataclass(frozen=True)
class ClipPercentiles(SelectiveStep):
    """Each channel is clipped to two of its own percentiles; its unit stays, float32.

    A few very bright voxels (vessels, fat near a coil) then do not decide mean and range. PercentileRescale scales
    to [0, 1] as well.

    Attributes:
        low: Lower percentile.
        high: Upper percentile.
        region: Where the percentiles are measured; all voxels are clipped.
        channels: Names of the channels to change; None for all.
    """

    low: float = 0.5
    high: float = 99.5
    region: Region = "whole"

    def __post_init__(self) -> None:
        """Refuse percentiles out of order.

        Raises:
            ConfigError: Not 0 <= low < high <= 100.
        """
        if not 0 <= self.low < self.high <= 100:
            got = f"{self.low} and {self.high}"
            raise ConfigError(
                expected_got("clip_percentiles", "unusable", "0 <= low < high <= 100", got, "Correct them")
            )

    def change(self, image: Volume) -> Volume:
        """Clip each channel."""
        result = image.array.astype(np.float32)
        for before, channel in zip(image.array, result, strict=True):
            low, high = np.percentile(values_within(before, self.region), [self.low, self.high])
            np.clip(channel, low, high, out=channel)
        return image.with_array(result)
