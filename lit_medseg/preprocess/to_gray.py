"""Colour to gray."""

from dataclasses import dataclass

import numpy as np

from lit_medseg.errors import DataError
from lit_medseg.imaging.volume import Volume
from lit_medseg.preprocess.intensity_step import IntensityStep

_BT601 = (0.299, 0.587, 0.114)


@dataclass(frozen=True)
class ToGray(IntensityStep):
    """Three channels become one; one channel stays.

    For images whose colour says nothing (films saved as RGB, fluorescence in false colour).

    Source: ITU-R Recommendation BT.601-7 (2011), section 2.5.1: E'Y = 0.299 E'R + 0.587 E'G + 0.114 E'B.
    """

    def change(self, image: Volume) -> Volume:
        """Weigh red, green and blue; integers are rounded, the dtype stays.

        Raises:
            DataError: The image has neither one nor three channels.
        """
        channels = image.array.shape[0]
        if channels == 1:
            return image
        if channels != 3:
            raise DataError(
                f"to_gray: unusable channels, expected 1 or 3, got {channels}. Take the step out of the YAML."
            )
        luma = np.tensordot(np.array(_BT601), image.array.astype(np.float64), axes=1)[np.newaxis]
        if np.issubdtype(image.array.dtype, np.integer):
            luma = np.rint(luma)
        return image.with_array(luma.astype(image.array.dtype))
