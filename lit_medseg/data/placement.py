"""Where patches are put."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Locations = Sequence[NDArray[np.int32]]
"""For every foreground class, in the order of the codes, voxels `(n, axes)`; n may be 0 (`CaseCache.locations`)."""


@dataclass(frozen=True)
class Placement:
    """Which patches are put around foreground, and around which.

    Attributes:
        foreground: Share of such patches, 0 to 1.
        classes: `any`: every stored foreground voxel is as likely; `balanced`: a class of the case first,
            each as likely.
        which: `random`: each patch by itself; `last`: the last share of every batch, as nnU-Net does (3 of 9).
        batch_size: Over all ranks; for `last`.
    """

    foreground: float = 0.0
    classes: Literal["any", "balanced"] = "any"
    which: Literal["random", "last"] = "random"
    batch_size: int = 1

    def share(self, position: int) -> float:
        """Give the probability that a patch is put around foreground.

        Args:
            position: In the epoch.
        """
        if self.which == "random":
            return self.foreground
        # Source: nnU-Net 2.8.1, `_oversample_last_XX_percent`.
        return float(position % self.batch_size >= round(self.batch_size * (1 - self.foreground)))

    def centre(self, locations: Locations, rng: np.random.Generator) -> NDArray[np.int32] | None:
        """Draw a foreground voxel `(axes,)`; None in a case without any."""
        counts = [len(voxels) for voxels in locations]
        if sum(counts) == 0:
            return None
        if self.classes == "balanced":
            present = [number for number, count in enumerate(counts) if count]
            chosen = present[int(rng.integers(len(present)))]
            voxel: NDArray[np.int32] = locations[chosen][int(rng.integers(counts[chosen]))]
            return voxel
        index = int(rng.integers(sum(counts)))
        for voxels in locations:
            if index < len(voxels):
                break
            index -= len(voxels)
        found: NDArray[np.int32] = voxels[index]
        return found


def corner_around(
    centre: NDArray[np.int32] | None, grid: Sequence[int], size: Sequence[int], rng: np.random.Generator
) -> tuple[int, ...]:
    """Give the first voxel of a patch.

    Args:
        centre: The patch's middle voxel, `(axes,)`; the patch is moved inside the volume. None puts it anywhere inside.
        grid: The volume's size.
        size: The patch's size; along an axis where it is larger than the volume, the volume lies in its middle.
        rng: Draws where nothing is given.
    """
    corner = []
    for axis, (side, length) in enumerate(zip(size, grid, strict=True)):
        free = length - side
        if free <= 0:
            corner.append(-(-free // 2))
        elif centre is None:
            corner.append(int(rng.integers(free + 1)))
        else:
            corner.append(min(max(0, int(centre[axis]) - side // 2), free))
    return tuple(corner)
