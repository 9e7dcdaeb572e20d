"""Zero mean and unit deviation over the training cases."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from lit_medseg.errors import DataError
from lit_medseg.imaging.volume import Volume
from lit_medseg.preprocess.sample import Sample
from lit_medseg.preprocess.step import FittedStep
from lit_medseg.preprocess.trace import Trace


@dataclass(frozen=True)
class Standardize(FittedStep):
    """Each channel less its mean, by its standard deviation, over all pixels of the training cases; float32.

    The usual last step before the network. Values can be given (say, those of a pretrained encoder); they are in the
    units of the images as they arrive, so 0 to 255 for 8-bit pictures.

    Attributes:
        mean: One number per channel; None until fitted.
        std: One number per channel; None until fitted. A channel that never varies is only shifted.
    """

    mean: tuple[float, ...] | None = None
    std: tuple[float, ...] | None = None

    @property
    def fitted(self) -> bool:
        """Whether mean and deviation are known."""
        return self.mean is not None and self.std is not None

    def fit(self, samples: Iterable[Sample]) -> Self:
        """Measure in one pass in float64; a value that was given stays.

        Raises:
            DataError: There are no samples, or their channels differ.
        """
        moments: _Moments | None = None
        for sample in samples:
            found = _moments(np.concatenate([image.array for image in sample.images]))
            moments = found if moments is None else moments.joined(found)
        if moments is None:
            raise DataError("standardize: nothing to fit on, expected training cases, got none. Check the split.")
        mean = tuple(float(value) for value in moments.mean)
        std = tuple(float(value) for value in np.sqrt(moments.squares / moments.count))
        return replace(
            self, mean=self.mean if self.mean is not None else mean, std=self.std if self.std is not None else std
        )

    def apply(self, sample: Sample) -> tuple[Sample, Trace]:
        """Shift and scale; channels are counted over all images of the case.

        Raises:
            DataError: The case has another number of channels than the values.
        """
        expected, got = self._factors[0].size, sum(image.array.shape[0] for image in sample.images)
        if got != expected:
            raise DataError(
                f"standardize: other channels than fitted, expected {expected}, got {got}. Check the steps."
            )
        images, start = list[Volume](), 0
        for image in sample.images:
            images.append(image.with_array(self._scaled(image.array, start)))
            start += image.array.shape[0]
        return sample.with_images(tuple(images)), {}

    def invert(self, volume: Volume, trace: Trace) -> Volume:
        """Give the volume as it is."""
        return volume

    def _scaled(self, array: NDArray[Any], start: int) -> NDArray[np.float32]:
        """Multiply and add in float32, two passes over memory."""
        shape, channels = (-1,) + (1,) * (array.ndim - 1), slice(start, start + array.shape[0])
        scale, shift = (factor[channels].reshape(shape) for factor in self._factors)
        scaled: NDArray[np.float32] = np.multiply(array, scale, dtype=np.float32)
        scaled += shift
        return scaled

    @cached_property
    def _factors(self) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Scale and shift per channel: x * scale + shift = (x - mean) / std."""
        mean, std = np.array(self.mean, dtype=np.float64), np.array(self.std, dtype=np.float64)
        scale = 1.0 / np.where(std == 0, 1.0, std)
        return scale.astype(np.float32), (-mean * scale).astype(np.float32)


@dataclass(frozen=True)
class _Moments:
    """Count, mean and sum of squared deviations per channel."""

    count: int
    mean: NDArray[np.float64]
    squares: NDArray[np.float64]

    def joined(self, other: "_Moments") -> "_Moments":
        """Join two sets of pixels.

        Source: Chan, Golub, LeVeque 1983, doi:10.1080/00031305.1983.10483115, equations 1.5.

        Raises:
            DataError: The channels differ.
        """
        if self.mean.shape != other.mean.shape:
            expected, got = self.mean.size, other.mean.size
            raise DataError(
                f"standardize: channels differ between cases, expected {expected}, got {got}. Add ToRGB or ToGray."
            )
        count, delta = self.count + other.count, other.mean - self.mean
        squares = self.squares + other.squares + delta**2 * (self.count * other.count / count)
        return _Moments(count, self.mean + delta * (other.count / count), squares)


def _moments(array: NDArray[Any]) -> _Moments:
    """Measure one image `(C, *S)`."""
    flat = array.reshape(array.shape[0], -1).astype(np.float64)
    mean = flat.mean(axis=1)
    return _Moments(flat.shape[1], mean, ((flat - mean[:, np.newaxis]) ** 2).sum(axis=1))
