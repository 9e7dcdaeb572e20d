"""Pictures of a wanted size."""

from abc import abstractmethod
from dataclasses import dataclass, replace

import numpy as np

from lit_medseg.errors import ConfigError
from lit_medseg.imaging.volume import Volume
from lit_medseg.preprocess.resample_grid import codes_onto, intensities_onto
from lit_medseg.preprocess.sample import Sample
from lit_medseg.preprocess.step import Step
from lit_medseg.preprocess.trace import Trace


class _GridStep(Step):
    """A step that brings pictures onto a grid that depends on their own."""

    @abstractmethod
    def wanted(self, grid: tuple[int, ...]) -> tuple[int, int]:
        """Give the grid for a picture of this grid."""

    def apply(self, sample: Sample) -> tuple[Sample, Trace]:
        """Resample images and mask; the trace holds the grid that was."""
        native = sample.native.grid
        images = tuple(intensities_onto(image, self.wanted(image.grid)) for image in sample.images)
        mask = None if sample.mask is None else codes_onto(sample.mask, self.wanted(sample.mask.grid))
        return replace(sample, images=images, mask=mask), {"grid": list(native)}

    def invert(self, volume: Volume, trace: Trace) -> Volume:
        """Resample probabilities (floats) as intensities, and codes (integers) label by label."""
        height, width = trace["grid"]
        back = intensities_onto if np.issubdtype(volume.array.dtype, np.floating) else codes_onto
        return back(volume, (height, width))


@dataclass(frozen=True)
class Resize(_GridStep):
    """Every picture gets one size; its proportions may change, and a prediction is brought back.

    Attributes:
        height: Rows to reach.
        width: Columns to reach.
    """

    height: int
    width: int

    def __post_init__(self) -> None:
        """Refuse a size that is not positive.

        Raises:
            ConfigError: A side is below one.
        """
        if min(self.height, self.width) < 1:
            got = f"{self.height} x {self.width}"
            raise ConfigError(f"resize: unusable size, expected positive numbers, got {got}. Correct height and width.")

    def wanted(self, grid: tuple[int, ...]) -> tuple[int, int]:
        """Give the one size."""
        return self.height, self.width


@dataclass(frozen=True)
class ResizeWithin(_GridStep):
    """A picture whose longest side is too long shrinks in proportion; smaller ones stay untouched.

    Attributes:
        longest: Most pixels along the longest side.
    """

    longest: int

    def __post_init__(self) -> None:
        """Refuse a length that is not positive.

        Raises:
            ConfigError: The length is below one.
        """
        if self.longest < 1:
            raise ConfigError(
                f"resize: unusable longest side, expected a positive number, got {self.longest}. Correct it."
            )

    def wanted(self, grid: tuple[int, ...]) -> tuple[int, int]:
        """Give the shrunken grid, each side at least one; a grid of three dimensions is refused later."""
        scale = min(1.0, self.longest / max(grid))
        height, width = (max(1, round(side * scale)) for side in grid[-2:])
        return height, width
