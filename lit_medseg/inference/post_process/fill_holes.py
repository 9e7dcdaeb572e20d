"""Fill holes."""

from dataclasses import dataclass

import numpy as np
from scipy import ndimage
from typing_extensions import override

from lit_medseg.inference.post_process.post_process import Mask, PostProcess


@dataclass(frozen=True)
class FillHoles(PostProcess):
    """Fills what a mask encloses: voxels from which no path by faces (2D: edges) leads out of it.

    Where classes are exclusive, only background is filled: a tumour within the liver stays. What is open to the image's
    border is no hole.

    Attributes:
        slicewise: Whether each slice along the first axis is filled by itself; a hole of a slice may be open in 3D.
    """

    slicewise: bool = False

    @override
    def change(self, mask: Mask, spacing_mm: tuple[float, ...]) -> Mask:
        if self.slicewise and mask.ndim == 3:
            return np.stack([_filled(one) for one in mask])
        return _filled(mask)


def _filled(mask: Mask) -> Mask:
    """Add the parts of the complement that do not reach the box's faces."""
    labels, count = ndimage.label(~mask)
    hole = np.ones(count + 1, dtype=bool)
    for axis in range(mask.ndim):
        for end in (0, -1):
            hole[labels.take(end, axis=axis)] = False
    hole[0] = False
    return mask | hole[labels]
