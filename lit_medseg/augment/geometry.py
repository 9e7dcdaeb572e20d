"""Where the voxels of a patch come from."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lit_medseg.augment.bspline import Bend
from lit_medseg.errors import DataError, expected_got

Box = tuple[tuple[int, ...], tuple[int, ...]]
"""First voxel and the one after the last, along every axis; may reach beyond the volume."""


@dataclass(frozen=True)
class Geometry:
    """A patch as a function of its source: voxel `o` shows `centre + matrix @ (o - (size - 1) / 2) + bend(o)`.

    Attributes:
        size: Of the patch, in voxels.
        mirrored: Axes of the patch that are mirrored, where nothing else moves; the matrix holds them otherwise.
        matrix: `(axes, axes)` in voxels; None for none.
        bend: Of the patch's own grid; None for none. With it goes a matrix.
    """

    size: tuple[int, ...]
    mirrored: tuple[int, ...] = ()
    matrix: NDArray[np.float64] | None = None
    bend: Bend | None = None

    @property
    def exact(self) -> bool:
        """Whether voxels are taken as they are, perhaps mirrored."""
        return self.matrix is None

    def box(self, corner: Sequence[int]) -> Box:
        """Give the part of the volume that the patch is made of.

        Args:
            corner: First voxel of the patch as it would be without any change.
        """
        if self.matrix is None:
            return tuple(corner), tuple(start + side for start, side in zip(corner, self.size, strict=True))
        half = (np.array(self.size) - 1) / 2
        reach = np.abs(self.matrix) @ half
        if self.bend is not None:
            reach = reach + self.bend.reach
        centre = np.array(corner) + half
        start, last = np.floor(centre - reach), np.floor(centre + reach) + 1
        return tuple(start.astype(int).tolist()), tuple((last + 1).astype(int).tolist())

    def offset(self, corner: Sequence[int]) -> tuple[float, ...]:
        """Give the patch's centre in voxels of its box."""
        start, _ = self.box(corner)
        return tuple(at + (side - 1) / 2 - first for at, side, first in zip(corner, self.size, start, strict=True))


def make_geometry(
    size: Sequence[int],
    spacing_mm: Sequence[float],
    matrices_mm: Sequence[NDArray[np.float64] | None],
    bend: Bend | None,
    mirrored: tuple[int, ...],
) -> Geometry:
    """Join what was drawn into one resampling.

    Args:
        size: Of the patch, in voxels.
        spacing_mm: Of all axes.
        matrices_mm: Rotation, shear, scaling: the first is applied last; None for none.
        bend: Or None.
        mirrored: Axes.

    Raises:
        DataError: Size and spacing have different numbers of axes.
    """
    if len(size) != len(spacing_mm):
        todo = "Give a patch size with as many numbers as the images have axes"
        raise DataError(expected_got("patch", "other axes than the image", len(spacing_mm), len(size), todo))
    drawn = [matrix for matrix in matrices_mm if matrix is not None]
    if not drawn and bend is None:
        return Geometry(tuple(size), mirrored)
    total = np.eye(len(size))
    for matrix in drawn:
        total = total @ matrix
    scale = np.array(spacing_mm)
    voxels = total * scale[np.newaxis, :] / scale[:, np.newaxis]
    voxels[:, list(mirrored)] *= -1
    return Geometry(tuple(size), (), voxels, bend)
