"""Parts of volumes on their way to the device, where they are augmented."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from lit_medseg.augment.sample_plan import SamplePlan


@dataclass(frozen=True)
class Crop:
    """What one patch is made of.

    Attributes:
        image: `(C, *box)` float32, normalised.
        mask: `(K, *box)` uint8, or None.
        offset: The patch's centre in voxels of the box.
        plan: What happens to it.
    """

    image: Tensor
    mask: Tensor | None
    offset: tuple[float, ...]
    plan: SamplePlan

    def patch(self) -> tuple[Tensor, Tensor | None]:
        """Make the patch: `(C, *size)` and `(K, *size)`; the crop's own memory may be changed."""
        return self.plan.carried_out(self.image, self.mask, self.offset)


@dataclass(frozen=True)
class Crops:
    """The crops of a batch, end to end in one piece of memory: one transfer between processes and to the device.

    Attributes:
        image: `(voxels of all,)` float32.
        mask: `(voxels of all,)` uint8, or None.
        shapes: `(C, *box)` of each.
        planes: Of every mask.
        offsets: Of each, see `Crop`.
        plans: Of each.
    """

    image: Tensor
    mask: Tensor | None
    shapes: tuple[tuple[int, ...], ...]
    planes: int
    offsets: tuple[tuple[float, ...], ...]
    plans: tuple[SamplePlan, ...]

    def __len__(self) -> int:
        """Count the samples."""
        return len(self.shapes)

    def pin_memory(self) -> "Crops":
        """Move to page-locked memory; the DataLoader calls it."""
        return replace(self, image=self.image.pin_memory(), mask=None if self.mask is None else self.mask.pin_memory())

    def to(self, device: torch.device) -> "Crops":
        """Move to a device, without waiting where the memory is page-locked."""
        mask = None if self.mask is None else self.mask.to(device, non_blocking=True)
        return replace(self, image=self.image.to(device, non_blocking=True), mask=mask)

    def patches(self) -> tuple[Tensor, Tensor | None]:
        """Augment on the device where the crops are; nothing waits for the device.

        Returns:
            Images `(B, C, *size)` float32 and masks `(B, K, *size)` uint8; each sample as if it were alone.
        """
        made = [crop.patch() for crop in self._crops()]
        masks = [codes for _, codes in made if codes is not None]
        return torch.stack([image for image, _ in made]), torch.stack(masks) if masks else None

    def _crops(self) -> list[Crop]:
        """Take the crops apart again."""
        grids = [shape[1:] for shape in self.shapes]
        images = torch.split(self.image, [_count(shape) for shape in self.shapes])
        masks: Sequence[Tensor | None] = [None] * len(self)
        if self.mask is not None:
            parts = torch.split(self.mask, [self.planes * _count(grid) for grid in grids])
            masks = [part.view(self.planes, *grid) for part, grid in zip(parts, grids, strict=True)]
        return [
            Crop(image.view(shape), mask, offset, plan)
            for image, mask, shape, offset, plan in zip(
                images, masks, self.shapes, self.offsets, self.plans, strict=True
            )
        ]


def joined(crops: Sequence[Crop]) -> Crops:
    """Put the crops of a batch end to end."""
    masks = [crop.mask for crop in crops if crop.mask is not None]
    return Crops(
        image=torch.cat([crop.image.reshape(-1) for crop in crops]),
        mask=torch.cat([mask.reshape(-1) for mask in masks]) if masks else None,
        shapes=tuple(tuple(crop.image.shape) for crop in crops),
        planes=masks[0].shape[0] if masks else 0,
        offsets=tuple(crop.offset for crop in crops),
        plans=tuple(crop.plan for crop in crops),
    )


def _count(shape: Sequence[int]) -> int:
    """Count the voxels of a shape."""
    count = 1
    for side in shape:
        count *= side
    return count
