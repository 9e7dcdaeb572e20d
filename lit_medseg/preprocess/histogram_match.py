"""Intensities without a unit brought onto one scale."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from lit_medseg.errors import DataError, expected_got
from lit_medseg.imaging.volume import Volume
from lit_medseg.preprocess.region import Region, values_within
from lit_medseg.preprocess.sample import Sample
from lit_medseg.preprocess.step import FittedStep
from lit_medseg.preprocess.trace import Trace

_PERCENTILES = (1.0, 10.0, 20.0, 30.0, 40.0, 50.0, 60.0, 70.0, 80.0, 90.0, 99.0)


@dataclass(frozen=True)
class HistogramMatch(FittedStep):
    """Percentiles of each channel are moved to the training cases' mean ones, piecewise linearly; float32.

    The same tissue gets about the same value in images of different scanners and sequences. The scale runs from 0 (1st
    percentile) to 1 (99th); values beyond go on with the slope of the last piece.

    Source: Nyul, Udupa, Zhang 2000, doi:10.1109/42.836373 (landmarks at the deciles).

    Attributes:
        landmarks: For each channel the values that the percentiles 1, 10, 20, ... 90, 99 become; None until fitted.
        region: Where percentiles are measured.
    """

    landmarks: tuple[tuple[float, ...], ...] | None = None
    region: Region = "foreground"

    @property
    def fitted(self) -> bool:
        """Whether the scale is known."""
        return self.landmarks is not None

    def fit(self, samples: Iterable[Sample]) -> Self:
        """Average the landmarks of the training cases, each stretched to [0, 1] first.

        Raises:
            DataError: There are no samples, or their channels differ.
        """
        found = [[self._measured(channel) for image in sample.images for channel in image.array] for sample in samples]
        counts = sorted({len(case) for case in found})
        if len(counts) != 1:
            todo = "Check the split and the channels"
            got = f"{counts} channels" if counts else "no case"
            raise DataError(expected_got("histogram_match", "nothing to fit on", "cases of equal channels", got, todo))
        array = np.array(found)
        low, high = array[..., :1], array[..., -1:]
        mean = ((array - low) / np.where(high > low, high - low, 1.0)).mean(axis=0)
        return replace(self, landmarks=tuple(tuple(float(value) for value in channel) for channel in mean))

    def apply(self, sample: Sample) -> tuple[Sample, Trace]:
        """Map each channel; channels are counted over all images of the case.

        Raises:
            DataError: The case has another number of channels than the scale.
        """
        scale, got = self.landmarks or (), sum(len(image.array) for image in sample.images)
        if got != len(scale):
            todo = "Check the steps"
            raise DataError(expected_got("histogram_match", "other channels than fitted", len(scale), got, todo))
        images, rows = list[Volume](), iter(scale)
        for image in sample.images:
            images.append(image.with_array(np.stack([self._mapped(channel, next(rows)) for channel in image.array])))
        return sample.with_images(tuple(images)), {}

    def invert(self, volume: Volume, trace: Trace) -> Volume:
        """Give the volume as it is."""
        return volume

    def _measured(self, channel: NDArray[Any]) -> NDArray[np.float64]:
        percentiles: NDArray[np.float64] = np.percentile(values_within(channel, self.region), _PERCENTILES)
        return percentiles.astype(np.float64)

    def _mapped(self, channel: NDArray[Any], scale: tuple[float, ...]) -> NDArray[np.float32]:
        """Map one channel; equal landmarks count once, and a constant channel becomes the scale's least value."""
        marks, first = np.unique(self._measured(channel), return_index=True)
        values = np.array(scale)[first]
        if len(marks) < 2:
            return np.full(channel.shape, values[0], np.float32)
        wide = channel.astype(np.float32)
        mapped: NDArray[np.float32] = np.interp(wide, marks, values).astype(np.float32)
        for beyond, end, inner in ((wide < marks[0], 0, 1), (wide > marks[-1], -1, -2)):
            slope = (values[end] - values[inner]) / (marks[end] - marks[inner])
            mapped[beyond] = values[end] + (wide[beyond] - marks[end]) * slope
        return mapped
