"""Images that are smaller than a window."""

from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor
from torch.nn import functional as F

Box = tuple[slice, ...]
"""A part of an image's grid, one slice an axis, with both ends given."""


@dataclass(frozen=True)
class PaddedImage:
    """An image whose short sides were filled up.

    Attributes:
        array: `(C, *S')`.
        sides: Of the image itself.
        before: How many voxels were put before it along each axis.
    """

    array: Tensor
    sides: tuple[int, ...]
    before: tuple[int, ...]

    def inside(self, box: Box, values: Tensor) -> tuple[Box, Tensor]:
        """Cut off what lies in the padding.

        Args:
            box: In the padded image.
            values: `(K, *box)`.

        Returns:
            The box in the image itself, and the values there; empty where the box lies in the padding only.
        """
        inner, own = [], []
        for part, side, before in zip(box, self.sides, self.before, strict=True):
            start = min(max(part.start - before, 0), side)
            stop = max(min(part.stop - before, side), start)
            inner.append(slice(start, stop))
            own.append(slice(start + before - part.start, stop + before - part.start))
        return tuple(inner), values[(slice(None), *own)]


def pad_image(image: Tensor, patch: Sequence[int], mode: str) -> PaddedImage:
    """Fill up the sides that are shorter than the window's, as much before as behind.

    Args:
        image: `(C, *S)`.
        patch: Sides of a window.
        mode: "reflect", which repeats the border of an image that is too small for it; "constant" for zeros.
    """
    sides = tuple(image.shape[1:])
    missing = [max(0, window - side) for window, side in zip(patch, sides, strict=True)]
    before = tuple(more // 2 for more in missing)
    if not any(missing):
        return PaddedImage(image, sides, before)
    if mode == "reflect" and any(more - more // 2 >= side for more, side in zip(missing, sides, strict=True)):
        mode = "replicate"
    widths = [width for more in reversed(missing) for width in (more // 2, more - more // 2)]
    return PaddedImage(F.pad(image[None], widths, mode=mode)[0], sides, before)
