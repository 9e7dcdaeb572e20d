"""Interpolate uneven or tilted slices to a regular volume, when told to."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from lit_medseg.imaging.late_imports import LATE_IMPORTS
from lit_medseg.imaging.slice_line import SliceLine
from lit_medseg.imaging.volume import Volume, placed_as
from lit_medseg.imaging.world_axes import LPS_TO_RAS


def regular_stack(array: NDArray[np.generic], line: SliceLine, pixel_mm: Sequence[float], where: str) -> Volume:
    """Resample slices linearly onto a grid with axes at right angles and even gaps.

    Each slice is shifted within its plane to where it lies in the patient, then neighbours are mixed along the normal.
    The new gap is the usual one (`SliceLine.usual_gap_mm`), from the first slice to the last; the planes grow so that
    every slice has room. Places without data get the smallest number of the series (air in CT).

    Args:
        array: `(C, D, H, W)` in the order of the line.
        line: Two slices or more.
        pixel_mm: Distance of rows and of columns.
        where: What errors call the series.

    Returns:
        `(C, D', H', W')`; integers stay integers (rounded), floats float32.
    """
    pixels = line.aside_mm / np.array(pixel_mm[:2])
    lowest = pixels.min(axis=0)
    room = np.ceil(pixels.max(axis=0) - lowest - 1e-6).astype(int)
    heights = np.arange(0, line.along_mm[-1] + 1e-6 * line.usual_gap_mm, line.usual_gap_mm)
    empty = float(array.min())
    shape = (len(array), len(heights), array.shape[2] + room[0], array.shape[3] + room[1])
    out = np.empty(shape, array.dtype if array.dtype.kind in "iu" else np.float32)
    for place, height in enumerate(heights):
        plane = _at_height(array, line, pixels - lowest, room, (float(height), empty))
        out[:, place] = np.rint(plane) if out.dtype.kind in "iu" else plane
    affine = np.eye(4)
    affine[:3, 0] = line.normal * line.usual_gap_mm
    affine[:3, 1] = line.column_direction * pixel_mm[0]
    affine[:3, 2] = line.row_direction * pixel_mm[1]
    affine[:3, 3] = line.origin + affine[:3, 1:3] @ lowest
    return placed_as(out, LPS_TO_RAS @ affine, where)


def _at_height(
    array: NDArray[np.generic],
    line: SliceLine,
    pixels: NDArray[np.float64],
    room: NDArray[np.int_],
    height_and_empty: tuple[float, float],
) -> NDArray[np.float32]:
    """Mix the two slices around a height, `(C, H', W')`."""
    height, empty = height_and_empty
    upper = int(np.clip(np.searchsorted(line.along_mm, height), 1, len(line.order) - 1))
    low, high = line.along_mm[upper - 1], line.along_mm[upper]
    share = np.float32(np.clip((height - low) / (high - low), 0, 1))
    below = _shifted(array[:, upper - 1], pixels[upper - 1], room, empty)
    above = _shifted(array[:, upper], pixels[upper], room, empty)
    return below * (1 - share) + above * share


def _shifted(
    planes: NDArray[np.generic], shift: NDArray[np.float64], room: NDArray[np.int_], empty: float
) -> NDArray[np.float32]:
    """Move planes `(C, H, W)` by parts of a pixel, down and right, into a larger frame."""
    with LATE_IMPORTS:
        from scipy.ndimage import shift as moved  # noqa: PLC0415 start-up stays quick without scipy

    frame = np.full((len(planes), planes.shape[1] + room[0], planes.shape[2] + room[1]), empty, np.float32)
    frame[:, : planes.shape[1], : planes.shape[2]] = planes
    whole = np.rint(shift)
    offset = whole if np.abs(shift - whole).max() < 1e-6 else shift
    result: NDArray[np.float32] = moved(frame, (0, *offset), order=1, mode="constant", cval=empty)
    return result
