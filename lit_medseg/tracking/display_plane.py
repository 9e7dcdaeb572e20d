"""The plane of a volume that a person looks at, turned the way that radiology hangs its pictures."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lit_medseg.imaging.nearest_axes import nearest_axes
from lit_medseg.imaging.volume import Volume

_R, _A, _S = 0, 1, 2
"""Axes of the world, RAS+."""


@dataclass(frozen=True)
class DisplayPlane:
    """How a slice is cut out of an array `(..., D, H, W)` and turned.

    Attributes:
        axis: The spatial axis that is sliced, 0 to 2: the one with the widest spacing, so that the picture has the
            finest pixels; the first where two are equally wide.
        transposed: Whether rows and columns change places.
        flipped: Whether rows and columns, after that, run backwards.
        spacing_mm: Distance of the picture's rows and columns.
    """

    axis: int
    transposed: bool
    flipped: tuple[bool, bool]
    spacing_mm: tuple[float, float]

    def cut(self, array: NDArray[Any], index: int) -> NDArray[Any]:
        """Give slice `index` of `(..., D, H, W)` as `(..., rows, columns)`, a view."""
        plane: NDArray[Any] = array.take(index, axis=array.ndim - 3 + self.axis)
        plane = plane.swapaxes(-1, -2) if self.transposed else plane
        rows, columns = (slice(None, None, -1 if backwards else 1) for backwards in self.flipped)
        return plane[..., rows, columns]


def display_plane(volume: Volume) -> DisplayPlane:
    """Choose plane and direction: the patient's right is on the left of the picture, head or front are on top.

    Axial: front on top; coronal and sagittal: head on top; sagittal: front on the left. Oblique planes go with the
    world axis that is nearest. A volume whose place is unknown is shown as it is stored.

    Args:
        volume: `(C, D, H, W)`.
    """
    axis = int(np.argmax(np.round(volume.spacing_mm, 3)))
    rows, columns = (other for other in range(3) if other != axis)
    if volume.affine is None:
        return DisplayPlane(axis, False, (False, False), (volume.spacing_mm[rows], volume.spacing_mm[columns]))
    ends = nearest_axes(volume.affine)
    world, positive = [axis for axis, _ in ends], [sign > 0 for _, sign in ends]
    # the head's axis always runs down the picture; of the other two, left-right always runs across it
    transposed = world[columns] == _S or world[rows] == _R
    if transposed:
        rows, columns = columns, rows
    # right, front and head come first: an axis that grows towards them is turned round
    return DisplayPlane(
        axis, transposed, (positive[rows], positive[columns]), (volume.spacing_mm[rows], volume.spacing_mm[columns])
    )
