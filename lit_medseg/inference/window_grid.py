"""Where the windows of a sliding window lie, and in which order they are taken."""

import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

Corner = tuple[int, ...]
"""First voxel of a window, one number an axis."""


@dataclass(frozen=True)
class WindowGrid:
    """A product of equal steps along each axis; the last window of an axis is moved back until it fits.

    Attributes:
        image: Sides of the image in voxels; no side is smaller than the window's.
        patch: Sides of a window.
        starts: First voxels of the windows along each axis, rising.
    """

    image: tuple[int, ...]
    patch: tuple[int, ...]
    starts: tuple[tuple[int, ...], ...]

    @property
    def axis(self) -> int:
        """The axis along which windows are finished layer by layer: where a layer is the smallest share of the image.

        Of equal axes the first.
        """
        shares = [patch / image for patch, image in zip(self.patch, self.image, strict=True)]
        return shares.index(min(shares))

    @property
    def order(self) -> tuple[int, ...]:
        """The axes from the slowest to the fastest: `axis`, then the others as they are."""
        return (self.axis, *(axis for axis in range(len(self.image)) if axis != self.axis))

    def corners(self) -> Iterator[Corner]:
        """Give the windows in this order."""
        for steps in itertools.product(*(self.starts[axis] for axis in self.order)):
            placed = dict(zip(self.order, steps, strict=True))
            yield tuple(placed[axis] for axis in range(len(steps)))

    def covered(self, corner: Corner) -> Corner:
        """Tell how far, along each axis, the window before covers a window; 0 for the first of an axis."""
        covered = []
        for start, starts, side in zip(corner, self.starts, self.patch, strict=True):
            before = starts.index(start) - 1
            covered.append(max(0, starts[before] + side - start) if before >= 0 else 0)
        return tuple(covered)

    def box(self, corner: Corner) -> tuple[slice, ...]:
        """Give the box of a window."""
        return tuple(slice(start, start + side) for start, side in zip(corner, self.patch, strict=True))

    def slab(self, start: int, thickness: int) -> tuple[slice, ...]:
        """Give the box of the whole image between two positions along `axis`."""
        box = [slice(0, side) for side in self.image]
        box[self.axis] = slice(start, start + thickness)
        return tuple(box)

    def __len__(self) -> int:
        """How many windows there are."""
        return math.prod(len(starts) for starts in self.starts)


def window_grid(image: Sequence[int], patch: Sequence[int], overlap: float) -> WindowGrid:
    """Place the windows as `monai.inferers.sliding_window_inference` does.

    Args:
        image: Sides of the image, each at least that of the window.
        patch: Sides of a window.
        overlap: Share of a window's side that the next one covers again, in [0, 1).
    """
    starts = []
    for side, window in zip(image, patch, strict=True):
        step = window if side == window else max(1, int(window * (1 - overlap)))
        count = math.ceil((side - window) / step) + 1
        starts.append(tuple(min(number * step, side - window) for number in range(count)))
    return WindowGrid(tuple(image), tuple(patch), tuple(starts))
