"""One spacing for all cases."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Literal, Self

import numpy as np
from numpy.typing import NDArray

from lit_medseg.errors import ConfigError, DataError, expected_got
from lit_medseg.imaging.volume import Volume
from lit_medseg.preprocess.axis_weights import Kernel
from lit_medseg.preprocess.label_sizes import size_trace
from lit_medseg.preprocess.median_spacing import median_spacing_mm
from lit_medseg.preprocess.resample_planes import resample_codes, resample_intensities
from lit_medseg.preprocess.resized_place import resized_place
from lit_medseg.preprocess.sample import Sample
from lit_medseg.preprocess.step import FittedStep
from lit_medseg.preprocess.trace import Trace

ROUNDS_UP = 0.499  # half a voxel goes down: files round spacings, and channels on one grid have to stay on one


@dataclass(frozen=True)
class ResampleTo(FittedStep):
    """Images and mask are brought to one spacing; the field of view stays.

    The number of voxels is whole and so the spacing that is reached is the wanted one up to half a voxel over the
    axis' length; the affine holds it exactly. A case that is there already is not touched. Images that shrink are
    filtered against aliasing. Masks are resampled label by label, and how each label's size changed stands in the trace
    (see `label_size_changes`). A prediction comes back by linear interpolation of its probabilities.

    Strongly anisotropic data (slices over `anisotropy` times as thick as pixels are wide, before or after) is handled
    per axis: within slices as `order` says, across them as `across` says. So thick slices are not blurred into each
    other; where slices become fewer, they are averaged nevertheless.

    Source: Isensee et al. 2021, doi:10.1038/s41592-020-01008-z, methods (cubic within slices, nearest
    across them, at a ratio above 3).

    Attributes:
        spacing_mm: Wanted spacing in the order of the array's axes (d, h, w); None is fitted: see `median_spacing_mm`.
            Put CanonicalOrientation before, so that the axes of all cases mean the same.
        order: Interpolation of images. A cubic is kept within the image's range.
        across: Interpolation across thick slices.
        anisotropy: Ratio from which slices count as thick.
    """

    version: ClassVar[int] = 2

    spacing_mm: tuple[float, ...] | None = None
    order: Literal["linear", "cubic"] = "cubic"
    across: Literal["nearest", "linear"] = "nearest"
    anisotropy: float = 3.0

    def __post_init__(self) -> None:
        """Refuse a spacing that is none.

        Raises:
            ConfigError: Not two or three positive numbers, or a ratio below one.
        """
        spacing = self.spacing_mm
        if spacing is not None and (len(spacing) not in (2, 3) or not all(0 < mm < np.inf for mm in spacing)):
            todo = "Correct spacing_mm, or leave it out to have it fitted"
            raise ConfigError(expected_got("resample_to", "unusable spacing", "positive millimetres", spacing, todo))
        if self.anisotropy < 1:
            todo = "Correct anisotropy"
            raise ConfigError(expected_got("resample_to", "unusable ratio", "at least 1", self.anisotropy, todo))

    @property
    def fitted(self) -> bool:
        """Whether the spacing is known."""
        return self.spacing_mm is not None

    def fit(self, samples: Iterable[Sample]) -> Self:
        """Choose the spacing by the training cases' native ones.

        Raises:
            DataError: There are no samples, or one whose spacing is unknown.
        """
        found = [(_known(sample.native), sample.native.grid) for sample in samples]
        return replace(self, spacing_mm=median_spacing_mm(found, self.anisotropy))

    def apply(self, sample: Sample) -> tuple[Sample, Trace]:
        """Resample every image and the mask; the trace is empty where nothing was to do.

        Raises:
            DataError: The spacing is unknown, or has another number of axes.
        """
        images, mask = tuple(self._image(image) for image in sample.images), sample.mask
        resampled = None if mask is None else self._mask(mask)
        after = replace(sample, images=images, mask=resampled)
        if all(new is old for new, old in zip(images, sample.images, strict=True)) and resampled is mask:
            return sample, {}
        trace: Trace = {"grid": list(sample.native.grid)}
        if mask is not None and resampled is not None:
            trace |= size_trace(mask, resampled)
        return after, trace

    def invert(self, volume: Volume, trace: Trace) -> Volume:
        """Resample probabilities (floats) linearly, averaged where they shrink, and codes (integers) label by label."""
        if not trace or volume.grid == tuple(trace["grid"]):
            return volume
        grid = trace["grid"]
        if volume.array.dtype.kind in "iu":
            return _placeless(resample_codes(volume.array, grid))
        kernels: list[Kernel] = ["area" if new < old else "linear" for old, new in zip(volume.grid, grid, strict=True)]
        return _placeless(resample_intensities(volume.array, grid, kernels))

    def _image(self, volume: Volume) -> Volume:
        grid, thick = self._wanted(volume)
        if grid == volume.grid:
            return volume
        kernels = list[Kernel]()
        for axis, (old, new) in enumerate(zip(volume.grid, grid, strict=True)):
            across: Kernel = "area" if new < old else self.across
            kernels.append(across if axis == thick else self.order)
        return resized_place(volume, resample_intensities(volume.array, grid, kernels))

    def _mask(self, volume: Volume) -> Volume:
        grid, thick = self._wanted(volume)
        if grid == volume.grid:
            return volume
        repeated = [axis == thick and self.across == "nearest" for axis in range(len(grid))]
        return resized_place(volume, resample_codes(volume.array, grid, repeated))

    def _wanted(self, volume: Volume) -> tuple[tuple[int, ...], int | None]:
        """Give the grid to reach, and the axis of thick slices, if there is one."""
        old, new = _known(volume), self.spacing_mm or ()
        if len(old) != len(new):
            todo = "Give one number for each spatial axis"
            raise DataError(
                expected_got("resample_to", "other axes than the spacing", f"{len(new)} axes", len(old), todo)
            )
        sides = zip(volume.grid, old, new, strict=True)
        grid = tuple(max(1, math.floor(side * was / wanted + ROUNDS_UP)) for side, was, wanted in sides)
        thick = _thick_axis(old, self.anisotropy)
        return grid, _thick_axis(new, self.anisotropy) if thick is None else thick


def _known(volume: Volume) -> tuple[float, ...]:
    """Give a spacing that is known.

    Raises:
        DataError: It is not.
    """
    if volume.affine is None:
        todo = "Take ResampleTo out of the steps (Resize changes pictures), or use files that hold their spacing"
        raise DataError(expected_got("resample_to", "the spacing is unknown", "millimetres", "a picture", todo))
    return volume.spacing_mm


def _thick_axis(spacing_mm: Sequence[float], ratio: float) -> int | None:
    """Find the one axis that is much coarser than the finest; None where there is none, or several."""
    coarse = [axis for axis, mm in enumerate(spacing_mm) if mm > ratio * min(spacing_mm)]
    return coarse[0] if len(coarse) == 1 and len(spacing_mm) == 3 else None


def _placeless(array: NDArray[Any]) -> Volume:
    return Volume(array, (1.0,) * (array.ndim - 1))
