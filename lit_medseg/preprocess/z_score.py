"""Zero mean and unit deviation of each image by itself."""

from dataclasses import dataclass

import numpy as np

from lit_medseg.imaging.volume import Volume
from lit_medseg.preprocess.region import Region, values_within
from lit_medseg.preprocess.selective_step import SelectiveStep


@dataclass(frozen=True)
class ZScore(SelectiveStep):
    """Each channel of each image less its own mean, by its own standard deviation; float32.

    For intensities without a unit (MRI). Standardize uses the training set's values instead.

    Source: Isensee et al. 2021, doi:10.1038/s41592-020-01008-z (per-image z-score for all modalities but CT; within
    the nonzero mask where images were cropped to it).

    Attributes:
        region: Where mean and deviation are measured; no mask is needed. All voxels are changed, but with `nonzero` an
            exact 0 stays 0.
        channels: Names of the channels to change; None for all.
    """

    region: Region = "whole"

    def change(self, image: Volume) -> Volume:
        """Shift and scale each channel; one whose region is constant is only shifted, so a constant one becomes 0."""
        result = image.array.astype(np.float32)
        for before, channel in zip(image.array, result, strict=True):
            values = values_within(before, self.region)
            mean, std = float(values.mean(dtype=np.float64)), float(values.std(dtype=np.float64))
            if std <= 1e-12 * abs(mean):  # rounding, not deviation
                mean, std = float(values[0]), 1.0
            np.multiply(before - np.float64(mean), 1.0 / std, out=channel, casting="unsafe")
            if self.region == "nonzero":
                channel[before == 0] = 0.0
        return image.with_array(result)
