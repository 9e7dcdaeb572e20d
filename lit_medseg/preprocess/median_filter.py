"""Single wrong voxels smoothed away, edges kept."""

from dataclasses import dataclass
from importlib import import_module
from typing import Any

import numpy as np

from lit_medseg.errors import ConfigError, DataError, expected_got
from lit_medseg.imaging.volume import Volume
from lit_medseg.preprocess.selective_step import SelectiveStep


@dataclass(frozen=True)
class MedianFilter(SelectiveStep):
    """Each voxel becomes the median of its neighbourhood; the dtype stays. At a border the edge is repeated.

    For speckle and salt-and-pepper noise. It runs in SimpleITK, on all processors.

    Attributes:
        size: Odd width of the neighbourhood in voxels: one number for all axes, or one for each (1 across thick
            slices).
        channels: Names of the channels to change; None for all.
    """

    size: tuple[int, ...] = (3,)

    def __post_init__(self) -> None:
        """Refuse widths that have no middle.

        Raises:
            ConfigError: Not one to three odd positive numbers.
        """
        if not 1 <= len(self.size) <= 3 or any(side < 1 or side % 2 == 0 for side in self.size):
            todo = "Correct size"
            raise ConfigError(expected_got("median_filter", "unusable", "odd positive numbers", list(self.size), todo))

    def change(self, image: Volume) -> Volume:
        """Filter each channel.

        Raises:
            DataError: The image has another number of axes than `size`.
        """
        sitk: Any = import_module("SimpleITK")  # not at the top: half a second that few runs need

        axes = len(image.grid)
        size = self.size * axes if len(self.size) == 1 else self.size
        if len(size) != axes:
            todo = "Give one number, or one for each axis"
            raise DataError(expected_got("median_filter", "other axes than `size`", len(size), axes, todo))
        radius = [side // 2 for side in reversed(size)]
        planes = [sitk.GetArrayFromImage(sitk.Median(sitk.GetImageFromArray(one), radius)) for one in image.array]
        return image.with_array(np.stack(planes).astype(image.array.dtype))
