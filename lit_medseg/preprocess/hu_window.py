"""A window of Hounsfield units to [0, 1]."""

from dataclasses import dataclass

import numpy as np

from lit_medseg.errors import ConfigError, expected_got
from lit_medseg.imaging.volume import Volume
from lit_medseg.preprocess.selective_step import SelectiveStep


@dataclass(frozen=True)
class HUWindow(SelectiveStep):
    """Intensities from `low_hu` to `high_hu` become 0 to 1, float32; what lies outside is clipped.

    Hounsfield units are absolute (air -1000, water 0), so one window serves all patients and scanners. A window given
    by level and width has low = level - width / 2 and high = level + width / 2.

    Attributes:
        low_hu: Becomes 0.
        high_hu: Becomes 1.
        channels: The CT channels; None for all.
    """

    low_hu: float
    high_hu: float

    def __post_init__(self) -> None:
        """Refuse an empty window.

        Raises:
            ConfigError: Not low < high.
        """
        if not self.low_hu < self.high_hu:
            got = f"{self.low_hu} and {self.high_hu}"
            raise ConfigError(expected_got("hu_window", "unusable", "low_hu < high_hu", got, "Correct them"))

    def change(self, image: Volume) -> Volume:
        """Clip and scale."""
        scaled = image.array.astype(np.float32)
        scaled -= np.float32(self.low_hu)
        scaled *= np.float32(1.0 / (self.high_hu - self.low_hu))
        return image.with_array(np.clip(scaled, 0.0, 1.0, out=scaled))
