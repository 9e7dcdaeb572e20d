"""Read a DICOM series as a volume, or a DICOM picture."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lit_medseg.errors import DataError, expected_got
from lit_medseg.imaging.dicom_pixels import Frame, read_frames, real_numbers
from lit_medseg.imaging.dicom_series import DicomSeries
from lit_medseg.imaging.dicom_slice import DicomSlice
from lit_medseg.imaging.find_dicom_series import one_dicom_series
from lit_medseg.imaging.place_name import place_name
from lit_medseg.imaging.quiet_dicom import quiet_dicom
from lit_medseg.imaging.read_dicom_header import TIMES
from lit_medseg.imaging.regular_stack import regular_stack
from lit_medseg.imaging.slice_line import SliceLine, line_faults, slice_line
from lit_medseg.imaging.volume import Volume, placed_as
from lit_medseg.imaging.world_axes import LPS_TO_RAS

THREADS = 4
RESAMPLE = "resample:"  # a key that starts so asks for a regular volume


def read_dicom_series(path: Path, key: str = "") -> Volume:
    """Read a series: slices sorted and spaced by their positions along the normal, never by SliceThickness.

    Uneven gaps, missing slices and a gantry tilt are refused; a key `resample:` or `resample:FIRST_FILE` interpolates
    such a series linearly to the usual gap, without tilt (`regular_stack`).

    Args:
        path: Folder (its tree is searched), or one file.
        key: The series' first file relative to the folder; empty where there is one series beside scouts.

    Returns:
        `(1, D, H, W)` (`(3, D, H, W)` for colour), d along the normal, h the row, w the column; as stored where nothing
        is rescaled, int16 where slopes and intercepts are whole, else float32. A slice that is alone has D = 1 and the
        spacing that its tags state. Images without a position are pictures: `(C, H, W)`, or `(C, D, H, W)` with
        spacing 1.0 along d for several frames (ultrasound), with pixel spacing and without affine.

    Raises:
        DataError: No or several series, damaged files, irregular slices, several different images at one position.
    """
    chosen = key.removeprefix(RESAMPLE)
    series = one_dicom_series(path, chosen)
    where = place_name(path, chosen)
    folder = series.folder
    if any("MOSAIC" in dict(one.traits).get("ImageType", "").split("\\") for one in series.slices):
        todo = "Convert the series to NIfTI with software that takes mosaics apart (dcm2niix)"
        raise DataError(expected_got(where, "the slices are tiles of mosaics", "one slice an image", "mosaics", todo))
    with quiet_dicom():
        frames = _all_frames(series, folder, where)
    if not series.placed:
        return _picture(series, frames)
    slices, frames = _one_a_place(series.slices, frames, where)
    line = slice_line([one.position or () for one in slices], slices[0].orientation or (), where)
    array = _planes([frames[place] for place in line.order])
    pixel_mm = slices[0].pixel_spacing_mm or _no_spacing(where)
    faults = line_faults(line)
    if faults and key.startswith(RESAMPLE):
        return regular_stack(array, line, pixel_mm, where)
    if faults:
        todo = (
            "Export the series again, whole and without tilt, or have it interpolated: `irregular: resample` of the "
            "source, `--resample` of `data convert`, `resample:` before its key in a table"
        )
        raise DataError(expected_got(where, "the slices make no regular volume", "even gaps", "; ".join(faults), todo))
    return placed_as(array, series_affine(line, pixel_mm, slices[0].thickness_mm), where)


def _all_frames(series: DicomSeries, folder: Path, where: str) -> list[Frame]:
    """Decode all slices, in their order, in threads, which hide the waiting for a disk far away."""
    by_file: dict[str, list[int]] = {}
    for one in series.slices:
        by_file.setdefault(one.file, []).append(one.frame)

    def read(name: str) -> list[Frame]:
        inside = where if len(by_file) == 1 else f"{where}: {place_name(Path(name))}"
        return read_frames(folder / name, by_file[name], inside)

    with ThreadPoolExecutor(min(THREADS, len(by_file))) as pool:
        return [frame for frames in pool.map(read, by_file) for frame in frames]


def _planes(frames: Sequence[Frame]) -> NDArray[np.generic]:
    """Stack slices as `(C, D, H, W)`."""
    numbers = real_numbers(frames)
    return numbers[None] if numbers.ndim == 3 else np.ascontiguousarray(np.moveaxis(numbers, -1, 0))


def _picture(series: DicomSeries, frames: Sequence[Frame]) -> Volume:
    planes = _planes(frames)
    pixel_mm = series.slices[0].pixel_spacing_mm or (1.0, 1.0)
    if len(frames) == 1:
        return Volume(planes[:, 0], (pixel_mm[0], pixel_mm[1]))
    return Volume(planes, (1.0, pixel_mm[0], pixel_mm[1]))


def _one_a_place(
    slices: Sequence[DicomSlice], frames: Sequence[Frame], where: str
) -> tuple[list[DicomSlice], list[Frame]]:
    """Leave out images that repeat another one's position and pixels; refuse different images at one position."""
    kept: dict[tuple[int, ...], int] = {}
    for place, one in enumerate(slices):
        position = tuple(round(number * 100) for number in one.position or ())
        other = kept.setdefault(position, place)
        if other != place and not _equal(frames[other], frames[place]):
            names = _different(slices[other], one)
            todo = "Keep one image a position: give each echo, time or b-value a folder, or name its key"
            text = ", ".join(names) or "pixels alone"
            at = f"images {other + 1} and {place + 1} of {len(slices)} that differ in {text}"
            raise DataError(expected_got(where, "several images lie at one position", "one", at, todo))
    places = sorted(kept.values())
    return [slices[place] for place in places], [frames[place] for place in places]


def _equal(a: Frame, b: Frame) -> bool:
    return (a.slope, a.intercept) == (b.slope, b.intercept) and np.array_equal(a.stored, b.stored)


def _different(a: DicomSlice, b: DicomSlice) -> list[str]:
    left, right = dict(a.traits), dict(b.traits)
    names = [name for name in (*left, *right) if left.get(name) != right.get(name)]
    values = [name if name in TIMES else f"{name} ({left.get(name)}, {right.get(name)})" for name in names]
    return list(dict.fromkeys(values))


def _no_spacing(where: str) -> tuple[float, ...]:
    todo = "Correct the series' PixelSpacing or take it out of the data set"
    raise DataError(expected_got(where, "the pixel spacing is missing", "PixelSpacing", "nothing", todo))


def series_affine(line: SliceLine, pixel_mm: Sequence[float], thickness_mm: float) -> NDArray[np.float64]:
    """Give a regular series its affine: the step between slices is the mean one, exactly as the positions say.

    Args:
        line: Regular slices.
        pixel_mm: Distance of rows and of columns.
        thickness_mm: The step of a slice that is alone.

    Returns:
        4x4, index (d, h, w) to RAS+ mm.
    """
    affine = np.eye(4)
    count = len(line.order)
    reach = line.normal * line.along_mm[-1] + line.column_direction * line.aside_mm[-1, 0]
    reach = reach + line.row_direction * line.aside_mm[-1, 1]
    affine[:3, 0] = reach / (count - 1) if count > 1 else line.normal * thickness_mm
    affine[:3, 1] = line.column_direction * pixel_mm[0]
    affine[:3, 2] = line.row_direction * pixel_mm[1]
    affine[:3, 3] = line.origin
    turned: NDArray[np.float64] = LPS_TO_RAS @ affine
    return turned
