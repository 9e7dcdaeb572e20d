"""Where parallel slices lie: their order, their spacing, and what keeps them from being a regular volume."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lit_medseg.errors import DataError, expected_got

ROUNDING_MM = 0.05  # scanners write positions with as little as one decimal
GAP_SHARE = 0.01  # of the spacing; thicker slices are placed less exactly
MOST_SHARE = 0.1  # of the spacing: for spacings near the rounding itself
TILT_DEGREES = 0.1
ONE_HEIGHT_MM = 1e-3  # below what positions are written with


@dataclass(frozen=True)
class SliceLine:
    """Slices in the order along their normal.

    Attributes:
        order: Places of the slices in what was given, first along the normal first.
        row_direction: Unit vector along which the column index grows (LPS).
        column_direction: Unit vector along which the row index grows (LPS).
        normal: Their cross product.
        origin: Position of the first slice, LPS mm.
        along_mm: `(n,)` distances from the first slice along the normal, ascending.
        aside_mm: `(n, 2)` shifts against the first slice along the column and the row direction.
    """

    order: tuple[int, ...]
    row_direction: NDArray[np.float64]
    column_direction: NDArray[np.float64]
    normal: NDArray[np.float64]
    origin: NDArray[np.float64]
    along_mm: NDArray[np.float64]
    aside_mm: NDArray[np.float64]

    @property
    def gaps_mm(self) -> NDArray[np.float64]:
        """The n - 1 distances of neighbouring slices along the normal."""
        return np.diff(self.along_mm)

    @property
    def usual_gap_mm(self) -> float:
        """The lower median of the gaps: what most slices keep, and what a missing slice doubles."""
        gaps = np.sort(self.gaps_mm)
        return float(gaps[(len(gaps) - 1) // 2])

    @property
    def tolerance_mm(self) -> float:
        """How far a slice may lie from its place: the rounding of positions, not the patient's anatomy."""
        usual = self.usual_gap_mm
        return min(max(ROUNDING_MM, GAP_SHARE * usual), MOST_SHARE * usual)


def slice_line(positions: Sequence[Sequence[float]], orientation: Sequence[float], where: str) -> SliceLine:
    """Sort slices along their normal.

    Source: DICOM PS3.3 2024, C.7.6.2.1.1 (ImagePositionPatient, ImageOrientationPatient).

    Args:
        positions: Centre of each slice's first pixel, LPS mm.
        orientation: The six numbers of ImageOrientationPatient, which the slices share.
        where: What errors call the series.

    Returns:
        The slices' places.

    Raises:
        DataError: The directions are not two perpendicular unit vectors, a number is not finite, or two slices lie
            beside each other at one height (two stacks in one series).
    """
    row, column = np.array(orientation[:3], np.float64), np.array(orientation[3:], np.float64)
    points = np.array(positions, np.float64)
    lengths = np.linalg.norm([row, column], axis=1)
    good = np.isfinite(points).all() and np.abs(lengths - 1).max() < 1e-2 and abs(row @ column) < 1e-2
    if not good:
        todo = "Correct the series' position and orientation tags or take it out of the data set"
        got = np.round(np.array(orientation, np.float64), 4).tolist()
        what = "the orientation or a position is unusable"
        raise DataError(expected_got(where, what, "two perpendicular unit vectors and finite positions", got, todo))
    normal = np.cross(row, column)
    along = points @ (normal / np.linalg.norm(normal))
    order = np.argsort(along, kind="stable")
    shifts = points[order] - points[order[0]]
    aside = np.stack([shifts @ column, shifts @ row], axis=1)
    places = tuple(int(place) for place in order)
    sorted_along = along[order] - along[order[0]]
    _check_heights(sorted_along, aside, where)
    return SliceLine(places, row, column, normal, points[order[0]], sorted_along, aside)


def _check_heights(along_mm: NDArray[np.float64], aside_mm: NDArray[np.float64], where: str) -> None:
    """Refuse slices of which nothing can tell the order."""
    gaps = np.diff(along_mm)
    if gaps.size and gaps.min() < ONE_HEIGHT_MM:
        first = int(gaps.argmin())
        apart_mm = float(np.linalg.norm(aside_mm[first + 1] - aside_mm[first]))
        todo = "Give each stack a folder or a series of its own"
        got = f"slices {first + 1} and {first + 2} at {along_mm[first]:.2f} mm, {apart_mm:.1f} mm aside of each other"
        raise DataError(expected_got(where, "slices lie side by side", "one slice at each height", got, todo))


def line_faults(line: SliceLine) -> list[str]:
    """Say what keeps slices from being a regular volume with axes at right angles.

    Slices may lie `tolerance_mm` off their places: 0.05 mm (positions rounded to one decimal) or 1 % of the spacing,
    whichever is more, but never over a tenth of it. A tilt is one of over 0.1 degrees that moves the last slice aside
    by more than that.

    Args:
        line: Two slices or more (fewer have no faults).

    Returns:
        Sentences without full stops, with slices counted from 1 along the normal; empty for a regular volume.
    """
    if len(line.order) < 2:
        return []
    return [*_tilt(line), *_gaps(line)]


def _tilt(line: SliceLine) -> list[str]:
    reach = float(line.along_mm[-1])
    aside = float(np.linalg.norm(line.aside_mm[-1]))
    degrees = float(np.degrees(np.arctan2(aside, reach)))
    if degrees > TILT_DEGREES and aside > line.tolerance_mm:
        moved = f"slice {len(line.order)} lies {aside:.1f} mm aside of slice 1"
        return [f"the slices are sheared by {degrees:.1f} degrees against their normal (gantry tilt: {moved})"]
    straight = np.linspace(0, 1, len(line.order))[:, None] * line.aside_mm[-1]
    off = np.linalg.norm(line.aside_mm - straight, axis=1)
    worst = int(off.argmax())
    if off[worst] > max(line.tolerance_mm, MOST_SHARE):
        return [f"slice {worst + 1} lies {off[worst]:.2f} mm aside of the line of the others"]
    return []


def _gaps(line: SliceLine) -> list[str]:
    even = np.linspace(0, line.along_mm[-1], len(line.order))
    if np.abs(line.along_mm - even).max() <= line.tolerance_mm:
        return []
    usual, tolerance = line.usual_gap_mm, line.tolerance_mm
    odd = [place for place, gap in enumerate(line.gaps_mm) if abs(gap - usual) > tolerance]
    if not odd:  # many small deviations that add up
        return [f"the gaps drift from {line.gaps_mm.min():.3f} to {line.gaps_mm.max():.3f} mm"]
    told = [_gap(line, place, usual, tolerance) for place in odd[:5]]
    more = f" and {len(odd) - 5} more" if len(odd) > 5 else ""
    return [f"the gaps between slices are not the usual {usual:.2f} mm: {', '.join(told)}{more}"]


def _gap(line: SliceLine, place: int, usual: float, tolerance: float) -> str:
    gap = float(line.gaps_mm[place])
    missing = round(gap / usual) - 1
    text = f"{gap:.2f} mm between slices {place + 1} and {place + 2} (at {line.along_mm[place]:.2f} mm)"
    if missing >= 1 and abs(gap - (missing + 1) * usual) <= tolerance * (missing + 1):
        return f"{text}, where {missing} slice{'s are' if missing > 1 else ' is'} missing"
    return text
