"""Read the contours of an RTSTRUCT as a mask."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lit_medseg.errors import DataError, expected_got
from lit_medseg.imaging.code_map import CodeMap, Region, chosen_regions
from lit_medseg.imaging.dicom_pixels import read_dataset
from lit_medseg.imaging.fill_polygon import fill_polygon
from lit_medseg.imaging.paste_plane import Pasted
from lit_medseg.imaging.place_name import place_name
from lit_medseg.imaging.quiet_dicom import quiet_dicom
from lit_medseg.imaging.same_grid import GRID_TOLERANCE
from lit_medseg.imaging.volume import Volume
from lit_medseg.imaging.world_axes import LPS_TO_RAS

CLOSED = ("CLOSED_PLANAR", "CLOSEDPLANAR_XOR")


def read_rtstruct(path: Path, key: str = "", reference: Volume | None = None) -> Volume:
    """Rasterise regions on an image's grid: a voxel is inside where its centre is.

    Several contours of a region in one slice are combined by exclusive or, so that a contour within another is a hole.
    Points and open lines have no inside and are passed over; slices between contours stay empty.

    Source: DICOM PS3.3 2024, C.8.8.6 (ROI contour).

    Args:
        path: The file.
        key: A region's name, whose code is then 1; empty for all, whose codes are their ROI numbers.
        reference: The image that the contours were drawn on.

    Returns:
        `(1, D, H, W)` on the reference's grid, uint8 or uint16.

    Raises:
        DataError: Damaged; no reference; contours between slices, askew or outside; overlapping regions and no key.
    """
    where = place_name(path, key)
    if reference is None or reference.affine is None or len(reference.grid) != 3:
        todo = "Name the image that the contours were drawn on"
        raise DataError(expected_got(where, "contours need an image", "an image with a place in space", "none", todo))
    with quiet_dicom():
        dataset = read_dataset(path, where)
        regions = _regions(dataset, where)
        contours = _contours(dataset)
    chosen = chosen_regions(regions, key, where)
    painted = CodeMap(np.zeros(reference.grid, np.uint16), where)
    to_index = np.asarray(np.linalg.inv(reference.affine) @ LPS_TO_RAS, np.float64)
    for number, region in chosen:
        for (axis, place), inside in _slices(contours.get(number, []), to_index, reference, where).items():
            painted.paint(Pasted(np.moveaxis(painted.codes, axis, 0)[place], inside), region.code)
    return reference.with_array(painted.finished([region for _, region in chosen])[None])


def _regions(dataset: Any, where: str) -> list[Region]:
    if dataset.get("StructureSetROISequence") is None:
        todo = "Name an RTSTRUCT file"
        raise DataError(expected_got(where, "no structure set", "StructureSetROISequence", "none", todo))
    return [Region(int(item.ROINumber), str(item.get("ROIName", ""))) for item in dataset.StructureSetROISequence]


def _contours(dataset: Any) -> dict[int, list[NDArray[np.float64]]]:
    """Points `(n, 3)` in LPS mm of each closed contour, by ROI number."""
    found: dict[int, list[NDArray[np.float64]]] = {}
    for roi in dataset.get("ROIContourSequence") or []:
        for contour in roi.get("ContourSequence") or []:
            if str(contour.get("ContourGeometricType", "")) in CLOSED:
                points = np.array([float(number) for number in contour.ContourData], np.float64).reshape(-1, 3)
                found.setdefault(int(roi.ReferencedROINumber), []).append(points)
    return found


def _slices(
    contours: list[NDArray[np.float64]], to_index: NDArray[np.float64], reference: Volume, where: str
) -> dict[tuple[int, int], NDArray[np.bool_]]:
    """Rasterise a region's contours, by axis and place of their slice."""
    found: dict[tuple[int, int], NDArray[np.bool_]] = {}
    for points in contours:
        index = np.round(points @ to_index[:3, :3].T + to_index[:3, 3], 4)  # points on pixel centres stay on them
        slot = _slot(index, reference, where)
        others = [axis for axis in range(3) if axis != slot[0]]
        shape = (reference.grid[others[0]], reference.grid[others[1]])
        inside = fill_polygon(index[:, others], shape)
        found[slot] = found[slot] ^ inside if slot in found else inside
    return found


def _slot(index: NDArray[np.float64], reference: Volume, where: str) -> tuple[int, int]:
    """The axis and place of the slice that a contour lies in."""
    spread = np.ptp(index, axis=0)
    axis = int(spread.argmin())
    off = float(np.abs(index[:, axis] - np.rint(index[0, axis])).max())
    if off > GRID_TOLERANCE:
        todo = "Check that the contours were drawn on this image"
        gap_mm = reference.spacing_mm[axis]
        expected = f"planes within {GRID_TOLERANCE * gap_mm:.3g} mm of a slice"
        got = f"{off * gap_mm:.3g} mm"
        raise DataError(expected_got(where, "a contour lies between slices or askew to them", expected, got, todo))
    place = round(float(index[0, axis]))
    if not 0 <= place < reference.grid[axis]:
        todo = "Check that the contours were drawn on this image"
        expected = f"slices 1 to {reference.grid[axis]}"
        raise DataError(expected_got(where, "a contour lies outside of its image", expected, place + 1, todo))
    return axis, place
