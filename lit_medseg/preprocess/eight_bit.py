"""Wider intensities to eight bits."""

from dataclasses import dataclass

import numpy as np

from lit_medseg.imaging.volume import Volume
from lit_medseg.preprocess.intensity_step import IntensityStep


@dataclass(frozen=True)
class EightBit(IntensityStep):
    """The image's own range becomes 0 to 255, uint8; uint8 stays as it is.

    Quarters the cache against float32, and some transforms of albumentations take only uint8.
    """

    def change(self, image: Volume) -> Volume:
        """Stretch all channels by one common range, rounded; a constant image becomes 0."""
        if image.array.dtype == np.uint8:
            return image
        array = image.array.astype(np.float64)
        low, high = array.min(), array.max()
        scaled = (array - low) * (255.0 / (high - low) if high > low else 0.0)
        return image.with_array(np.rint(scaled).astype(np.uint8))
