"""Masks on the grid of the image that they were drawn on."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from lit_medseg.catalogue.case import Case, Ref
from lit_medseg.catalogue.read_ref import read_mask_ref
from lit_medseg.errors import DataError, expected_got
from lit_medseg.imaging.place_name import place_name
from lit_medseg.imaging.read_dicom_series import RESAMPLE
from lit_medseg.imaging.same_grid import GRID_TOLERANCE, grid_difference_mm, onto_grid
from lit_medseg.imaging.volume import Volume


@dataclass(frozen=True)
class PlacedMasks:
    """The masks of a case on one channel's grid.

    Attributes:
        masks: `(1, *S)` each, in the order of the case's masks; fewer where there are faults.
        faults: What is wrong, in the house form.
        distance_mm: Greatest distance to the channel's grid; infinite where a mask cannot be compared.
    """

    masks: tuple[Volume, ...]
    faults: tuple[str, ...] = ()
    distance_mm: float = 0.0


def place_masks(folder: Path, case: Case, images: Sequence[Volume]) -> PlacedMasks:
    """Read the masks of a case and bring them onto the grid of the first channel that all of them fit.

    A mask that is the same grid in another orientation is turned exactly. Pictures, and files without a place in space,
    fit where their shapes agree. Nothing is interpolated.

    Args:
        folder: Where the references start from.
        case: The case.
        images: Its images; none where they could not be read: then the masks are given as their files hold them.

    Returns:
        The masks with the channel's affine and spacing; or the faults against the channel that they are nearest to.
    """
    missing = [fault for fault in (missing_fault(folder, case, ref, "mask") for ref in case.masks) if fault]
    found = [ref for ref in case.masks if (folder / ref.path).exists()]
    best: PlacedMasks | None = None
    for image in different_grids(images):
        placed = _place(folder, case, found, image)
        if not placed.faults and not missing:
            return placed
        if best is None or placed.distance_mm < best.distance_mm:
            best = placed
    if best is None:
        best = _place(folder, case, found, None)
    return PlacedMasks(best.masks, (*missing, *best.faults), best.distance_mm)


def different_grids(images: Sequence[Volume]) -> Iterator[Volume]:
    """Give the first image of each grid; grids within the stated tolerance are one."""
    seen: list[Volume] = []
    for image in images:
        if not any(_same(image, other) for other in seen):
            seen.append(image)
            yield image


def missing_fault(folder: Path, case: Case, ref: Ref, kind: str) -> str:
    """Say that a file is missing; an empty text where it is there."""
    if (folder / ref.path).exists():
        return ""
    todo = "Restore the file or leave the case out"
    return expected_got(f"case {case.case_id}, {kind} {ref}", "missing file", "a file", "nothing there", todo)


def reading_fault(folder: Path, case: Case, ref: Ref, kind: str, error: DataError) -> str:
    """Give the fault of a file that cannot be read, which names the file alone, the place within its data set."""
    name = place_name(folder / ref.path, ref.key.removeprefix(RESAMPLE), ref.index)
    text = str(error)
    known = text.startswith(f"{name}: ") and ref.path != "."
    return f"case {case.case_id}, {kind} {ref}{text.removeprefix(name)}" if known else f"case {case.case_id}, {text}"


def _same(one: Volume, other: Volume) -> bool:
    if one.affine is None or other.affine is None:
        return one.grid == other.grid
    return grid_difference_mm(one, other) <= GRID_TOLERANCE * min(one.spacing_mm)


def _place(folder: Path, case: Case, refs: Sequence[Ref], image: Volume | None) -> PlacedMasks:
    """Read the masks and put them onto one image's grid."""
    masks: list[Volume] = []
    faults: list[str] = []
    distance = 0.0
    for ref in refs:
        where = f"case {case.case_id}, mask {ref}"
        try:
            mask = read_mask_ref(folder, ref, image)
        except DataError as error:
            faults.append(reading_fault(folder, case, ref, "mask", error))
            distance = math.inf
            continue
        try:
            masks.append(mask if image is None else _onto(mask, image, where))
        except DataError as error:
            faults.append(str(error))
            masks.append(mask)
            distance = max(distance, grid_difference_mm(mask, image) if image is not None else math.inf)
    return PlacedMasks(tuple(masks), tuple(faults), distance)


def _onto(mask: Volume, image: Volume, where: str) -> Volume:
    """Give a mask the image's affine and spacing.

    Raises:
        DataError: It lies elsewhere, or has another shape.
    """
    if mask.affine is not None and image.affine is not None:
        return image.with_array(onto_grid(mask, image, where).array)
    if mask.grid != image.grid:
        todo = "Pair each image with its own mask"
        raise DataError(expected_got(where, "not of the image's size", image.grid, mask.grid, todo))
    return image.with_array(mask.array)
