"""Read a DICOM-SEG object as a mask."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lit_medseg.errors import DataError, expected_got
from lit_medseg.imaging.code_map import CodeMap, Region, chosen_regions
from lit_medseg.imaging.dicom_pixels import read_dataset, stored_frames
from lit_medseg.imaging.paste_plane import paste_plane, plane_place
from lit_medseg.imaging.place_name import place_name
from lit_medseg.imaging.quiet_dicom import quiet_dicom
from lit_medseg.imaging.volume import Volume, placed_as
from lit_medseg.imaging.world_axes import LPS_TO_RAS

LABELMAP = "LABELMAP"


@dataclass(frozen=True)
class _SegFrame:
    """One frame: its segment (0 in a label map) and the place of its pixels, 4x3, (row, column, 1) to RAS+ mm.

    `spacing_mm` is SpacingBetweenSlices, 0 where the file does not state it; `thickness_mm` is SliceThickness, which is
    no spacing.
    """

    segment: int
    plane: NDArray[np.float64]
    spacing_mm: float
    thickness_mm: float


def read_dicom_seg(path: Path, key: str = "", reference: Volume | None = None) -> Volume:
    """Read segments onto a grid; each frame is placed by its own position, missing frames are empty.

    Binary, fractional (inside from one half of the greatest fraction) and label map objects. The padding value of a
    label map is background.

    Source: DICOM PS3.3 2024, C.8.20 (Segmentation) and C.7.6.16 (functional groups).

    Args:
        path: The file.
        key: A segment's label, whose code is then 1; empty for all, whose codes are their segment numbers.
        reference: The image whose grid the mask is put on; None for the regular grid that the frames span.

    Returns:
        `(1, D, H, W)`, uint8 or uint16.

    Raises:
        DataError: Damaged; tiled; overlapping segments and no key; no such segment; frames beside the grid or outside.
    """
    where = place_name(path, key)
    with quiet_dicom():
        dataset = read_dataset(path, where)
        frames = _frames(dataset, where)
        planes = stored_frames(dataset, path, where)
    chosen = chosen_regions(_segments(dataset), key, where)
    grid = reference if reference is not None else _own_grid(frames, planes[0].shape, where)
    shape = grid.grid if len(grid.grid) == 3 else (1, *grid.grid)
    painted = CodeMap(np.zeros(shape, np.uint16), where)
    for frame, stored in zip(frames, planes, strict=True):
        for number, region in chosen:
            inside = _inside(dataset, stored, frame, number)
            if inside is not None and inside.any():
                place = plane_place(frame.plane, (stored.shape[0], stored.shape[1]), grid, where)
                painted.paint(paste_plane(inside, place, painted.codes, where), region.code)
    return grid.with_array(painted.finished([region for _, region in chosen])[None])


def _segments(dataset: Any) -> list[Region]:
    found = [Region(int(item.SegmentNumber), str(item.get("SegmentLabel", ""))) for item in dataset.SegmentSequence]
    return [region for region in found if region.code > 0]  # a label map may describe its background


def _inside(dataset: Any, stored: NDArray[np.generic], frame: _SegFrame, number: int) -> NDArray[np.bool_] | None:
    """The pixels of a frame that belong to a segment; None where the frame is another segment's."""
    kind = str(dataset.SegmentationType)
    if kind == LABELMAP:
        padding = dataset.get("PixelPaddingValue")
        return None if padding is not None and int(padding) == number else np.equal(stored, number)
    if frame.segment != number:
        return None
    half = float(dataset.MaximumFractionalValue) / 2 if kind == "FRACTIONAL" else 1
    return np.asarray(np.greater_equal(stored, half))


def _frames(dataset: Any, where: str) -> list[_SegFrame]:
    """Take each frame's segment and geometry from its own groups, else from the shared ones."""
    if dataset.get("SegmentationType") is None or not dataset.get("PerFrameFunctionalGroupsSequence"):
        todo = "Name a DICOM-SEG file"
        raise DataError(expected_got(where, "no DICOM-SEG with frames", "SegmentationType", "none", todo))
    shared: Any = next(iter(dataset.get("SharedFunctionalGroupsSequence") or []), {})
    try:
        return [_frame([frame, shared], dataset) for frame in dataset.PerFrameFunctionalGroupsSequence]
    except (LookupError, AttributeError, TypeError, ValueError) as error:
        todo = "Convert tiled segmentations of slides to pictures"
        what = "a frame has no segment or no place in the patient"
        expected = "plane position, orientation and pixel measures"
        raise DataError(expected_got(where, what, expected, "a tiled or damaged object", todo)) from error


def _frame(groups: list[Any], dataset: Any) -> _SegFrame:
    measures = _group(groups, "PixelMeasuresSequence")
    spacing = [float(size) for size in measures.PixelSpacing]
    position = _group(groups, "PlanePositionSequence").ImagePositionPatient
    orientation = _group(groups, "PlaneOrientationSequence").ImageOrientationPatient
    plane = np.zeros((4, 3))
    plane[:3, 0] = np.array(orientation[3:], np.float64) * spacing[0]
    plane[:3, 1] = np.array(orientation[:3], np.float64) * spacing[1]
    plane[:3, 2], plane[3, 2] = np.array(position, np.float64), 1
    number = 0
    if str(dataset.SegmentationType) != LABELMAP:
        number = int(_group(groups, "SegmentIdentificationSequence").ReferencedSegmentNumber)
    between, thickness = float(measures.get("SpacingBetweenSlices") or 0), float(measures.get("SliceThickness") or 1)
    return _SegFrame(number, LPS_TO_RAS @ plane, between, thickness)


def _group(groups: list[Any], name: str) -> Any:
    """Take the first item of a functional group from the first of the groups that has it."""
    for holder in groups:
        found = holder.get(name)
        if found:
            return found[0]
    raise LookupError(name)


def _own_grid(frames: list[_SegFrame], shape: tuple[int, ...], where: str) -> Volume:
    """The regular grid that the frames span: from the first position to the last in steps that meet all."""
    first = frames[0].plane
    if any(np.abs(frame.plane[:, :2] - first[:, :2]).max() > 1e-3 for frame in frames):
        todo = "Give the image that it was drawn on as reference"
        raise DataError(expected_got(where, "the frames differ in orientation", "one", "several", todo))
    normal = np.cross(first[:3, 1], first[:3, 0])  # turning both worlds by half a turn about z keeps the product
    normal /= np.linalg.norm(normal)
    along = np.array([frame.plane[:3, 2] @ normal for frame in frames])
    step = _step(along, frames[0], where)
    count = round(float(np.ptp(along)) / step) + 1
    affine = np.eye(4)
    affine[:3, 0] = normal * step
    affine[:3, 1:3] = first[:3, :2]
    affine[:3, 3] = frames[int(along.argmin())].plane[:3, 2]
    return placed_as(np.zeros((1, count, *shape[:2]), np.uint8), affine, where)


def _step(along: NDArray[np.float64], frame: _SegFrame, where: str) -> float:
    """The spacing of slices: as the file states it where all positions fit, else the smallest gap."""
    heights = np.unique(np.round(along - along.min(), 3))
    if len(heights) == 1:
        return frame.spacing_mm if frame.spacing_mm > 0 else frame.thickness_mm
    for step in (frame.spacing_mm, float(np.diff(heights).min())):
        if step > 0 and np.abs(heights / step - np.rint(heights / step)).max() < 0.05:
            return float(heights[-1]) / max(1, round(float(heights[-1]) / step))
    todo = "Give the image that it was drawn on as reference"
    raise DataError(expected_got(where, "the frames' positions are uneven", "one spacing", heights[:8].tolist(), todo))
