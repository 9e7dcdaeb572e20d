"""Empty borders off."""

from dataclasses import dataclass, replace
from typing import ClassVar, Literal

import numpy as np
from scipy import ndimage

from lit_medseg.errors import ConfigError, expected_got
from lit_medseg.imaging.volume import Volume
from lit_medseg.preprocess.box_on_grid import cut_box, put_into
from lit_medseg.preprocess.one_grid import check_one_grid
from lit_medseg.preprocess.outside_values import outside_values
from lit_medseg.preprocess.region import otsu_threshold
from lit_medseg.preprocess.sample import Sample
from lit_medseg.preprocess.step import Step
from lit_medseg.preprocess.trace import Trace


@dataclass(frozen=True)
class CropForeground(Step):
    """The case is cut to the smallest box around what lies above a threshold in any channel.

    It is decided by the images alone, so that a new study is cut as a training case is. Outside of the box a prediction
    is background. All channels have to lie on one grid: OntoChannel comes before.

    Source: Isensee et al. 2021, doi:10.1038/s41592-020-01008-z, methods (cropping to the nonzero region).

    Attributes:
        threshold: A number in the image's unit, `nonzero`, or `otsu` (each channel's own).
        margin_mm: What stays around the box, in pixels where the spacing is unknown.
    """

    interpolates: ClassVar[bool] = False

    threshold: float | Literal["nonzero", "otsu"] = "nonzero"
    margin_mm: float = 0.0

    def __post_init__(self) -> None:
        """Refuse values that mean nothing.

        Raises:
            ConfigError: Another word, or a negative margin.
        """
        if self.threshold not in ("nonzero", "otsu") and isinstance(self.threshold, str):
            todo = "Correct threshold"
            expected = "a number, nonzero or otsu"
            raise ConfigError(expected_got("crop_foreground", "no such threshold", expected, self.threshold, todo))
        if not self.margin_mm >= 0:
            todo = "Correct margin_mm"
            raise ConfigError(expected_got("crop_foreground", "unusable margin", "0 mm or more", self.margin_mm, todo))

    def apply(self, sample: Sample) -> tuple[Sample, Trace]:
        """Cut images and mask; a case without foreground stays whole, and the trace of one that stays is empty.

        Raises:
            DataError: Channels or mask on different grids.
        """
        volumes = [*sample.images, *([] if sample.mask is None else [sample.mask])]
        check_one_grid(volumes, "crop_foreground")
        grid = volumes[0].grid
        start, stop = self._box(sample)
        if start == [0] * len(grid) and stop == list(grid):
            return sample, {}
        images = tuple(cut_box(image, start, stop) for image in sample.images)
        mask = None if sample.mask is None else cut_box(sample.mask, start, stop)
        return replace(sample, images=images, mask=mask), {"grid": list(grid), "start": start}

    def invert(self, volume: Volume, trace: Trace) -> Volume:
        """Put a prediction into the whole grid, background around it."""
        if not trace:
            return volume
        return put_into(volume, trace["grid"], trace["start"], outside_values(volume.array))

    def _box(self, sample: Sample) -> tuple[list[int], list[int]]:
        """Find the box with its margin."""
        grid = sample.images[0].grid
        inside = np.zeros(grid, bool)
        for image in sample.images:
            for channel in image.array:
                if self.threshold == "nonzero":
                    inside |= channel != 0
                else:
                    inside |= channel > (otsu_threshold(channel) if self.threshold == "otsu" else self.threshold)
        found = ndimage.find_objects(inside.view(np.int8))
        if not found:
            return [0] * len(grid), list(grid)
        margin = [int(np.ceil(self.margin_mm / mm - 1e-6)) for mm in sample.images[0].spacing_mm]
        start = [max(0, int(side.start) - more) for side, more in zip(found[0], margin, strict=True)]
        ends = zip(found[0], margin, grid, strict=True)
        return start, [min(whole, int(side.stop) + more) for side, more, whole in ends]
