"""Sort the images of DICOM headers into stacks that can be volumes."""

import math
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from lit_medseg.imaging.dicom_series import DicomSeries
from lit_medseg.imaging.dicom_slice import DicomHeader, DicomSlice
from lit_medseg.imaging.read_dicom_header import TIMES, TRAITS

SAME_DIRECTION = 1e-3  # of a unit vector: 0.06 degrees; scanners write six decimals, localizers differ by far more
SAME_PLACE_MM = 0.01


def dicom_stacks(headers: Sequence[DicomHeader], folder: Path) -> list[DicomSeries]:
    """Make stacks of one patient, series, shape, pixel spacing and orientation.

    Copies of a file count once. Images without a position are stacks of one file each (an X-ray of two views). A stack
    with several images at every position is taken apart by the tag that tells them apart (echo time, b-value, time
    position, ...) where one tag does.

    Args:
        headers: Of one folder tree, sorted by file.
        folder: Where their files start from.

    Returns:
        The stacks, sorted by key.
    """
    unique = {_identity(header): header for header in reversed(headers) if header.slices}
    found: list[tuple[DicomHeader, str, list[DicomSlice]]] = []
    groups: dict[tuple[object, ...], list[DicomHeader]] = {}
    for header in sorted(unique.values(), key=lambda one: one.file):
        alone = header.file if header.slices[0].position is None else ""
        series = header.series_uid or str(Path(header.file).parent)  # files made anonymous may have lost it
        groups.setdefault((header.patient_id, series, header.modality, alone), []).append(header)
    for members in groups.values():
        slices = [one for header in members for one in header.slices]
        for stack in _one_geometry(slices):
            found += [(members[0], variant, part) for variant, part in _one_image_a_place(stack)]
    found.sort(key=lambda entry: (entry[2][0].file, entry[2][0].frame))
    count: Counter[str] = Counter()
    return [_series(header, variant, slices, folder, count) for header, variant, slices in found]


def _identity(header: DicomHeader) -> tuple[object, ...]:
    """What copies of a file share; software that makes files anonymous may have given all of them one identifier."""
    return (header.sop_uid or header.file, header.patient_id, tuple(one.position for one in header.slices))


def _series(
    header: DicomHeader, variant: str, slices: list[DicomSlice], folder: Path, count: Counter[str]
) -> DicomSeries:
    first = slices[0].file
    count[first] += 1
    key = first if count[first] == 1 else f"{first}#{count[first]}"
    ids = (header.patient_id, header.study_uid, header.series_uid, header.patient_name)
    return DicomSeries(folder, key, header.modality, header.description, variant, tuple(slices), *ids)


def _one_geometry(slices: Sequence[DicomSlice]) -> list[list[DicomSlice]]:
    stacks: list[list[DicomSlice]] = []
    for one in slices:
        for stack in stacks:
            if _alike(stack[0], one):
                stack.append(one)
                break
        else:
            stacks.append([one])
    return stacks


def _alike(a: DicomSlice, b: DicomSlice) -> bool:
    if (a.rows, a.columns, a.localizer) != (b.rows, b.columns, b.localizer):
        return False
    if (a.orientation is None) != (b.orientation is None):
        return False
    pairs = zip(a.orientation or (), b.orientation or (), strict=True)
    if any(abs(one - other) > SAME_DIRECTION for one, other in pairs):
        return False
    sizes = zip(a.pixel_spacing_mm or (1.0, 1.0), b.pixel_spacing_mm or (1.0, 1.0), strict=True)
    return all(math.isclose(one, other, rel_tol=1e-4) for one, other in sizes)


def _place(one: DicomSlice) -> tuple[int, ...]:
    return tuple(round(number / SAME_PLACE_MM) for number in one.position or ())


def _one_image_a_place(stack: list[DicomSlice]) -> list[tuple[str, list[DicomSlice]]]:
    """Take a stack apart by the first tag that leaves one image at each position of each part."""
    places = Counter(_place(one) for one in stack)
    if stack[0].position is None or max(places.values()) == 1:
        return [("", stack)]
    for tag in TRAITS:
        parts: dict[str, list[DicomSlice]] = {}
        for one in stack:
            parts.setdefault(dict(one.traits).get(tag, ""), []).append(one)
        covered = [Counter(_place(one) for one in part) for part in parts.values()]
        if len(parts) > 1 and all(len(part) == len(places) and max(part.values()) == 1 for part in covered):
            numbered = enumerate(sorted(parts), 1)
            return [(f"{tag} {number if tag in TIMES else value}", parts[value]) for number, value in numbered]
    return [("", stack)]
