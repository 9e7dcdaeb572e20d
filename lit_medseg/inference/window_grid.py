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

    def corners(self) -> Iterator[Corner]:
        """Give the windows layer by layer along `axis`, the last of the other axes running fastest."""
        order = [self.axis, *(axis for axis in range(len(self.image)) if axis != self.axis)]
        for steps in itertools.product(*(self.starts[axis] for axis in order)):
            placed = dict(zip(order, steps, strict=True))
            yield tuple(placed[axis] for axis in range(len(order)))

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
