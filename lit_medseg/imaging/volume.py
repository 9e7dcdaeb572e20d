"""One image in memory."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from lit_medseg.errors import DataError


@dataclass(frozen=True)
class Volume:
    """An image or mask with its place in space; two or three spatial dimensions.

    Attributes:
        array: `(C, *S)` with S = (H, W) or (D, H, W); any real dtype. C is 1 for a mask of codes.
        spacing_mm: Distance of neighbouring samples in the order of the spatial axes; 1.0 where unknown (a PNG).
        affine: 4x4, array index (in the order of the axes, padded to three) to millimetres; None where unknown.
    """

    array: NDArray[np.generic]
    spacing_mm: tuple[float, ...]
    affine: NDArray[np.float64] | None = None

    def __post_init__(self) -> None:
        """Check the dimensions once.

        Raises:
            DataError: Other than two or three spatial dimensions, an empty array, or a spacing that does not fit.
        """
        shape = self.array.shape
        if len(shape) not in (3, 4) or 0 in shape:
            raise DataError(f"image: unusable shape, expected (C, H, W) or (C, D, H, W) without zeros, got {shape}.")
        if len(self.spacing_mm) != len(shape) - 1 or min(self.spacing_mm) <= 0:
            raise DataError(
                f"image: spacing does not fit, expected {len(shape) - 1} positive numbers, got {self.spacing_mm}."
            )

    @property
    def grid(self) -> tuple[int, ...]:
        """The spatial shape S."""
        return tuple(self.array.shape[1:])

    def with_array(self, array: NDArray[np.generic]) -> "Volume":
        """Give the same place in space to another array on the same grid."""
        return replace(self, array=array)


def flat_volume(array: NDArray[np.generic]) -> Volume:
    """Wrap a picture `(C, H, W)` of unknown spacing."""
    return Volume(array, (1.0,) * (array.ndim - 1))
