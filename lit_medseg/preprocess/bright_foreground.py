"""Bright objects on a dark background, whatever the microscope."""

from dataclasses import dataclass

import numpy as np

from lit_medseg.imaging.volume import Volume
from lit_medseg.preprocess.intensity_step import IntensityStep


@dataclass(frozen=True)
class BrightForeground(IntensityStep):
    """An image whose background is bright is inverted.

    Mixtures of fluorescence (bright on dark) and bright-field or stained images (dark on bright) become one kind.
    Background is taken to be what most pixels are: the median lies above the middle of the range.

    Source: the 2018 Data Science Bowl's mixture, Caicedo et al. 2019, doi:10.1038/s41592-019-0612-7.
    """

    def change(self, image: Volume) -> Volume:
        """Invert where the median of the channels' mean is above the middle of its range (1st to 99th percentile).

        Integers are inverted in their dtype's range, floats in the image's own; a constant image stays.
        """
        mean = image.array.mean(axis=0, dtype=np.float64)
        low, median, high = np.percentile(mean, [1, 50, 99])
        if median <= (low + high) / 2:
            return image
        if image.array.dtype.kind in "iu":
            return image.with_array(np.iinfo(str(image.array.dtype)).max - image.array)
        return image.with_array(image.array.max() + image.array.min() - image.array)
