"""One image in memory."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from lit_medseg.errors import DataError

SPACING_TOLERANCE = 1e-3  # of the spacing; files keep affines in single precision


@dataclass(frozen=True)
class Volume:
    """An image or mask with its place in space; two or three spatial dimensions.

    The world is RAS+ in millimetres: x grows to the patient's right-to-left axis' right end (Right), y to the front
    (Anterior), z to the head (Superior), as in NIfTI. DICOM's and ITK's LPS is flipped on reading and writing.

    Attributes:
        array: `(C, *S)` with S = (H, W) or (D, H, W); any real dtype. C is 1 for a mask of codes.
        spacing_mm: Distance of neighbouring samples in the order of the spatial axes; 1.0 where unknown (a PNG).
        affine: 4x4, array index in the order of the axes, `affine @ (d, h, w, 1)`, to millimetres; None where unknown
            (pictures). The lengths of its columns are `spacing_mm`.
    """

    array: NDArray[np.generic]
    spacing_mm: tuple[float, ...]
    affine: NDArray[np.float64] | None = None

    def __post_init__(self) -> None:
        """Check dimensions, spacing and affine once.

        Raises:
            DataError: Other than two or three spatial dimensions, an empty array, or a spacing or affine that does not
                fit.
        """
        shape = self.array.shape
        if len(shape) not in (3, 4) or 0 in shape:
            raise DataError(f"image: unusable shape, expected (C, H, W) or (C, D, H, W) without zeros, got {shape}.")
        if len(self.spacing_mm) != len(shape) - 1 or not min(self.spacing_mm) > 0:
            raise DataError(
                f"image: spacing does not fit, expected {len(shape) - 1} positive numbers, got {self.spacing_mm}."
            )
        if self.affine is not None:
            _check_affine(self.affine, self.spacing_mm)

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


def placed_volume(array: NDArray[np.generic], affine: NDArray[np.float64]) -> Volume:
    """Wrap an array whose place in space is known; the spacing is the length of the affine's columns.

    Args:
        array: `(C, D, H, W)`.
        affine: 4x4, index (d, h, w) to RAS+ millimetres.

    Returns:
        The volume, its affine in double precision.

    Raises:
        DataError: As for `Volume`.
    """
    matrix = np.asarray(affine, np.float64)
    return Volume(array, column_lengths(matrix), matrix)


def placed_as(array: NDArray[np.generic], affine: NDArray[np.float64], where: str) -> Volume:
    """Wrap an array read from a file; as `placed_volume`, and errors call it by the file's name.

    Raises:
        DataError: As for `Volume`, with `where`.
    """
    try:
        return placed_volume(array, affine)
    except DataError as error:
        fault = str(error).removeprefix("image: ")
        raise DataError(f"{where}: {fault} Correct the file's header.") from error


def column_lengths(affine: NDArray[np.float64]) -> tuple[float, ...]:
    """Measure the distance of neighbouring samples along each of an affine's three axes, in millimetres."""
    return tuple(float(length) for length in np.linalg.norm(affine[:3, :3], axis=0))


def shear_degrees(affine: NDArray[np.float64]) -> float:
    """Measure how far the axes of an affine are from right angles: 0.0 for a straight grid, in degrees."""
    axes = affine[:3, :3] / np.linalg.norm(affine[:3, :3], axis=0)
    cosines = np.abs(np.triu(axes.T @ axes, 1)).max()
    return float(np.degrees(np.arcsin(min(1.0, cosines))))


def _check_affine(affine: NDArray[np.float64], spacing_mm: tuple[float, ...]) -> None:
    """Refuse an affine that is none, or that contradicts the spacing."""
    if affine.shape != (4, 4) or not np.isfinite(affine).all() or tuple(affine[3]) != (0.0, 0.0, 0.0, 1.0):
        text = np.array2string(np.asarray(affine), precision=4).replace("\n", "")
        raise DataError(f"image: unusable affine, expected 4x4 finite numbers with the last row 0 0 0 1, got {text}.")
    lengths = column_lengths(affine)
    if len(spacing_mm) == 3 and not np.allclose(lengths, spacing_mm, rtol=SPACING_TOLERANCE):
        raise DataError(f"image: affine and spacing disagree, expected {spacing_mm} mm, got columns of {lengths} mm.")
    axes = affine[:3, : len(spacing_mm)]
    if len(spacing_mm) == 3 and abs(np.linalg.det(axes)) < 1e-6 * np.prod(lengths):
        raise DataError(f"image: the affine's axes lie in one plane, expected three directions, got {axes.tolist()}.")
