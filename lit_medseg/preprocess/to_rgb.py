"""Gray to three channels."""

from dataclasses import dataclass

import numpy as np

from lit_medseg.errors import DataError
from lit_medseg.imaging.volume import Volume
from lit_medseg.preprocess.intensity_step import IntensityStep


@dataclass(frozen=True)
class ToRGB(IntensityStep):
    """One channel is repeated three times; three channels stay.

    For data sets that mix gray and colour images, and for encoders pretrained on photographs.
    """

    def change(self, image: Volume) -> Volume:
        """Repeat the channel.

        Raises:
            DataError: The image has neither one nor three channels.
        """
        channels = image.array.shape[0]
        if channels == 3:
            return image
        if channels != 1:
            raise DataError(
                f"to_rgb: unusable channels, expected 1 or 3, got {channels}. Take the step out of the YAML."
            )
        return image.with_array(np.repeat(image.array, 3, axis=0))
