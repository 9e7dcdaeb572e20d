"""All cases written the same way round."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from lit_medseg.errors import ConfigError, expected_got
from lit_medseg.imaging.nearest_axes import nearest_axes
from lit_medseg.imaging.volume import Volume
from lit_medseg.preprocess.sample import Sample
from lit_medseg.preprocess.step import Step
from lit_medseg.preprocess.trace import Trace

_WORLD = {"R": (0, 1), "L": (0, -1), "A": (1, 1), "P": (1, -1), "S": (2, 1), "I": (2, -1)}


@dataclass(frozen=True)
class CanonicalOrientation(Step):
    """The axes of each volume are permuted and flipped until they point, as nearly as they can, where `axes` says.

    Nothing is interpolated: an oblique volume stays oblique. The default, SPL, counts slices (d) to the head, rows (h)
    to the patient's back and columns (w) to the patient's left: axial slices as a radiologist's screen shows them, and
    as most axial DICOM series are stored. SAR is what NIfTI calls RAS+, its axes (i, j, k) read as (k, j, i).
    A volume whose place in space is unknown, and a picture of two dimensions, stay as they are.

    Attributes:
        axes: Where d, h and w grow to: a letter each of R/L, A/P and S/I (right, left, anterior, posterior, superior,
            inferior).
    """

    interpolates: ClassVar[bool] = False

    axes: str = "SPL"

    def __post_init__(self) -> None:
        """Refuse letters that are no orientation.

        Raises:
            ConfigError: Not one letter of each pair.
        """
        if sorted(_WORLD.get(letter, (9, 0))[0] for letter in self.axes) != [0, 1, 2]:
            todo = "Correct axes"
            expected = "three letters, one of R/L, one of A/P, one of S/I"
            raise ConfigError(expected_got("canonical_orientation", "no orientation", expected, repr(self.axes), todo))

    def apply(self, sample: Sample) -> tuple[Sample, Trace]:
        """Turn every volume; the trace is empty where the native one was right already."""
        images = tuple(self._turned(image) for image in sample.images)
        mask = None if sample.mask is None else self._turned(sample.mask)
        order, flips = self._way(sample.native)
        trace = {} if _nothing(order, flips) else {"order": order, "flips": flips}
        return replace(sample, images=images, mask=mask), trace

    def invert(self, volume: Volume, trace: Trace) -> Volume:
        """Flip and permute back."""
        if not trace:
            return volume
        flipped = _flip(volume.array, trace["flips"])
        back = flipped.transpose(0, *(1 + int(axis) for axis in np.argsort(trace["order"])))
        return Volume(np.ascontiguousarray(back), (1.0,) * (back.ndim - 1))

    def _way(self, volume: Volume) -> tuple[list[int], list[bool]]:
        """Give the old axis of each new one, and which of the new ones are flipped."""
        if volume.affine is None or len(volume.grid) != 3:
            return list(range(len(volume.grid))), [False] * len(volume.grid)
        ends = nearest_axes(volume.affine)
        wanted = [_WORLD[letter] for letter in self.axes]
        order = [[axis for axis, _ in ends].index(axis) for axis, _ in wanted]
        return order, [ends[old][1] != sign for old, (_, sign) in zip(order, wanted, strict=True)]

    def _turned(self, volume: Volume) -> Volume:
        order, flips = self._way(volume)
        if volume.affine is None or _nothing(order, flips):
            return volume
        array = np.ascontiguousarray(_flip(volume.array.transpose(0, *(1 + axis for axis in order)), flips))
        turn = np.zeros((4, 4))
        turn[3, 3] = 1.0
        for new, (old, flip) in enumerate(zip(order, flips, strict=True)):
            turn[old, new] = -1.0 if flip else 1.0
            turn[old, 3] = volume.grid[old] - 1.0 if flip else 0.0
        return Volume(array, tuple(volume.spacing_mm[old] for old in order), volume.affine @ turn)


def _nothing(order: Sequence[int], flips: Sequence[bool]) -> bool:
    return list(order) == sorted(order) and not any(flips)


def _flip(array: NDArray[Any], flips: Sequence[bool]) -> NDArray[Any]:
    return np.flip(array, tuple(axis for axis, flip in enumerate(flips, 1) if flip))
