"""CT as nnU-Net normalises it."""

import zlib
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Self

import numpy as np

from lit_medseg.errors import DataError, expected_got
from lit_medseg.imaging.volume import Volume
from lit_medseg.preprocess.one_grid import check_one_grid
from lit_medseg.preprocess.sample import Sample
from lit_medseg.preprocess.selective_step import SelectiveStep
from lit_medseg.preprocess.step import FittedStep

_VOXELS_A_CASE = 10_000


@dataclass(frozen=True)
class CTIntensity(SelectiveStep, FittedStep):
    """Intensities are clipped to two percentiles of the training cases' foreground, then standardised by it; float32.

    Foreground is what the masks mark, so the window opens on the organs that are looked for. All cases are changed
    alike: Hounsfield units are absolute.

    Source: Isensee et al. 2021, doi:10.1038/s41592-020-01008-z, methods (CT: 0.5 and 99.5 percentiles,
    mean and deviation of foreground voxels over all training cases; 10,000 drawn from each, as its code does).

    Attributes:
        low: Becomes the lower end; None until fitted, as the others.
        high: Becomes the upper end.
        mean: Is taken off after clipping.
        std: Is divided by.
        channels: Names of the CT channels; None for all.
    """

    low: float | None = None
    high: float | None = None
    mean: float | None = None
    std: float | None = None

    @property
    def fitted(self) -> bool:
        """Whether all four values are known."""
        return None not in (self.low, self.high, self.mean, self.std)

    def fit(self, samples: Iterable[Sample]) -> Self:
        """Measure the voxels that masks mark; values that were given stay.

        Raises:
            DataError: No case has foreground, or an image lies on another grid than its mask.
        """
        drawn = [values for sample in samples if (values := self._foreground(sample)).size]
        if not drawn:
            todo = "Check the masks, or give low, high, mean and std"
            raise DataError(expected_got("ct_intensity", "nothing to fit on", "masks with foreground", "none", todo))
        values = np.concatenate(drawn)
        low, high = (float(value) for value in np.percentile(values, [0.5, 99.5]))
        return replace(
            self,
            low=low if self.low is None else self.low,
            high=high if self.high is None else self.high,
            mean=float(values.mean()) if self.mean is None else self.mean,
            std=(float(values.std()) or 1.0) if self.std is None else self.std,
        )

    def change(self, image: Volume) -> Volume:
        """Clip, shift and scale."""
        result = np.clip(image.array, self.low, self.high, dtype=np.float32, casting="unsafe")
        result -= np.float32(self.mean or 0.0)
        result *= np.float32(1.0 / (self.std or 1.0))
        return image.with_array(result)

    def _foreground(self, sample: Sample) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
        """Draw voxels of a case's foreground, with equal shares of its chosen channels."""
        if sample.mask is None:
            return np.empty(0)
        inside = np.flatnonzero(sample.mask.array.any(axis=0))
        rng = np.random.default_rng(zlib.crc32(repr((sample.mask.grid, inside.size)).encode()))
        drawn = [np.empty(0)]
        for image, chosen in zip(sample.images, self.chosen(sample), strict=True):
            if chosen and inside.size:
                check_one_grid([sample.mask, image], "ct_intensity")
                places = rng.choice(inside, _VOXELS_A_CASE)
                drawn.extend(channel.reshape(-1)[places].astype(np.float64) for channel in image.array)
        return np.concatenate(drawn)
