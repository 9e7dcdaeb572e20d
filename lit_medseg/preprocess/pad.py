"""Sides of at least a size, or of a multiple of one."""

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from lit_medseg.errors import ConfigError, DataError, expected_got
from lit_medseg.imaging.volume import Volume
from lit_medseg.preprocess.box_on_grid import cut_box, put_into
from lit_medseg.preprocess.sample import Sample
from lit_medseg.preprocess.step import Step
from lit_medseg.preprocess.trace import Trace


class _PadStep(Step):
    """A step that adds borders, half of them on each side (the odd one at the end); masks get background."""

    interpolates: ClassVar[bool] = False

    value: float | None

    @abstractmethod
    def wanted(self, grid: tuple[int, ...]) -> tuple[int, ...]:
        """Give the shape for a volume of this shape, no side shorter."""

    def apply(self, sample: Sample) -> tuple[Sample, Trace]:
        """Pad images and mask; the trace is empty where there was nothing to add."""
        images = tuple(self._padded(image, self.value) for image in sample.images)
        mask = None if sample.mask is None else self._padded(sample.mask, 0.0)
        grid, wanted = sample.native.grid, self.wanted(sample.native.grid)
        trace = {} if wanted == grid else {"grid": list(grid), "start": _start(grid, wanted)}
        return replace(sample, images=images, mask=mask), trace

    def invert(self, volume: Volume, trace: Trace) -> Volume:
        """Cut the borders off."""
        if not trace:
            return volume
        stop = [low + side for low, side in zip(trace["start"], trace["grid"], strict=True)]
        return cut_box(volume, trace["start"], stop)

    def _padded(self, volume: Volume, value: float | None) -> Volume:
        wanted = self.wanted(volume.grid)
        if wanted == volume.grid:
            return volume
        lows = volume.array.reshape(len(volume.array), -1).min(axis=1)
        values = lows if value is None else np.full(len(volume.array), value)
        return put_into(volume, wanted, _start(volume.grid, wanted), values)


@dataclass(frozen=True)
class PadTo(_PadStep):
    """Sides shorter than a size are padded to it; longer ones stay.

    Attributes:
        size: Voxels in the order of the axes.
        value: What is put around images, in their unit at this step; None takes each channel's least value (air).
    """

    size: tuple[int, ...]
    value: float | None = None

    def __post_init__(self) -> None:
        """Refuse a size that is not positive.

        Raises:
            ConfigError: A side is below one.
        """
        if not self.size or min(self.size) < 1:
            raise ConfigError(
                expected_got("pad_to", "unusable size", "positive numbers", list(self.size), "Correct size")
            )

    def wanted(self, grid: tuple[int, ...]) -> tuple[int, ...]:
        """Give the greater of both on each axis.

        Raises:
            DataError: The image has another number of axes.
        """
        if len(grid) != len(self.size):
            todo = "Give one number for each spatial axis"
            raise DataError(expected_got("pad_to", "other axes than the size", len(self.size), len(grid), todo))
        return tuple(max(side, least) for side, least in zip(grid, self.size, strict=True))


@dataclass(frozen=True)
class PadToMultiple(_PadStep):
    """Sides are padded to the next multiple: what a network that halves several times takes.

    Attributes:
        multiple: Of every side.
        value: As in PadTo.
    """

    multiple: int
    value: float | None = None

    def __post_init__(self) -> None:
        """Refuse a multiple that is not positive.

        Raises:
            ConfigError: Below one.
        """
        if self.multiple < 1:
            todo = "Correct multiple"
            raise ConfigError(expected_got("pad_to_multiple", "unusable", "a positive number", self.multiple, todo))

    def wanted(self, grid: tuple[int, ...]) -> tuple[int, ...]:
        """Give the next multiples."""
        return tuple(-(-side // self.multiple) * self.multiple for side in grid)


def _start(grid: Sequence[int], wanted: Sequence[int]) -> list[int]:
    return [(new - old) // 2 for old, new in zip(grid, wanted, strict=True)]
