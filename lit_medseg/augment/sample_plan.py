"""All that is drawn for one sample."""

from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor

from lit_medseg.augment.geometry import Geometry
from lit_medseg.augment.intensity import Change
from lit_medseg.augment.resample import resampled


@dataclass(frozen=True)
class SamplePlan:
    """One sample's augmentation as data: it can be carried out anywhere, and any number of times.

    Attributes:
        geometry: Where voxels come from.
        changes: Of intensities, in order.
    """

    geometry: Geometry
    changes: tuple[Change, ...] = ()

    def carried_out(self, image: Tensor, mask: Tensor | None, offset: Sequence[float]) -> tuple[Tensor, Tensor | None]:
        """Make the augmented patch.

        Args:
            image: `(C, *box)` float32 (`Geometry.box`); may be changed in place.
            mask: `(K, *box)` of any dtype, or None.
            offset: `Geometry.offset` of the box.

        Returns:
            `(C, *size)` float32 and `(K, *size)`.
        """
        patch, codes = resampled(self.geometry, offset, image, mask)
        for change in self.changes:
            change(patch)
        return patch, codes
