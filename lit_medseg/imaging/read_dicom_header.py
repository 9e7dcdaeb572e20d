"""Read the header of one DICOM file."""

import struct
from pathlib import Path
from typing import Any

from lit_medseg.imaging.dicom_slice import DicomHeader, DicomSlice
from lit_medseg.imaging.late_imports import LATE_IMPORTS

TRAITS = (
    "EchoTime", "EchoNumbers", "EffectiveEchoTime", "DiffusionBValue", "TemporalPositionIdentifier",
    "TemporalPositionIndex", "TriggerTime", "InversionTime", "FlipAngle", "ComplexImageComponent", "ImageType",
    "ConvolutionKernel", "AcquisitionNumber", "StackID", "AcquisitionTime", "ContentTime",
)  # fmt: skip
TIMES = ("AcquisitionTime", "ContentTime")  # tell images apart, but are never shown
TAGS = [
    "SOPClassUID", "SOPInstanceUID", "SeriesInstanceUID", "StudyInstanceUID", "PatientID", "PatientName", "Modality",
    "Rows", "Columns", "SeriesDescription", "NumberOfFrames", "ImagePositionPatient", "ImageOrientationPatient",
    "PixelSpacing", "ImagerPixelSpacing", "NominalScannedPixelSpacing", "SliceThickness", "SpacingBetweenSlices",
    "SequenceOfUltrasoundRegions", "PerFrameFunctionalGroupsSequence", "SharedFunctionalGroupsSequence",
    "ReferencedSeriesSequence", "ReferencedFrameOfReferenceSequence", *TRAITS,
]  # fmt: skip
MASKS = ("SEG", "RTSTRUCT")
NO_IMAGES = (*MASKS, "RTDOSE")
DICOM_ENDINGS = (".dcm", ".ima")
NOT_DICOM = (OSError, EOFError, ValueError, TypeError, KeyError, AttributeError, NotImplementedError, struct.error)


def read_dicom_header(path: Path, name: str) -> DicomHeader | None:
    """Read what is needed to sort a file into a series; pixels are not read.

    Args:
        path: Any file.
        name: What to call it: its path relative to the scanned folder.

    Returns:
        The header; one that is marked as damaged for an image that cannot be read; None for a
        file that is no DICOM image or mask (a text, a DICOMDIR, a report).
    """
    with LATE_IMPORTS:
        from pydicom import dcmread  # noqa: PLC0415 start-up stays quick without pydicom
        from pydicom.errors import InvalidDicomError  # noqa: PLC0415

    try:
        if not _start(path):
            return _damaged(name) if name.lower().endswith(DICOM_ENDINGS) else None
        dataset = dcmread(path, stop_before_pixels=True, force=True, specific_tags=list(TAGS))
        header = _header(dataset, name)
    except (*NOT_DICOM, InvalidDicomError):
        return _damaged(name)
    if header.slices or header.modality in MASKS:
        return header
    return _damaged(name) if _says_image(dataset, header) else None


def _damaged(name: str) -> DicomHeader:
    return DicomHeader(name, "", "", "", "", "", "", "", (), (), damaged=True)


def _says_image(dataset: Any, header: DicomHeader) -> bool:
    """Whether a header without an image's size is that of an image, or ends before it says what it is."""
    with LATE_IMPORTS:
        from pydicom.uid import UID  # noqa: PLC0415 start-up stays quick without pydicom

    if header.modality in NO_IMAGES:
        return False
    kind = str(getattr(dataset, "file_meta", {}).get("MediaStorageSOPClassUID", "")) or header.sop_class
    return UID(kind).name.endswith("Image Storage") if kind else not header.modality


def _start(path: Path) -> bool:
    """Whether a file starts with a preamble, or (old files without one) with a tag of group 2 or 8."""
    with path.open("rb") as file:
        start = file.read(132)
    return start[128:] == b"DICM" or (len(start) == 132 and start[:2] in (b"\x08\0", b"\x02\0") and start[3] == 0)


def _header(dataset: Any, name: str) -> DicomHeader:
    modality = _text(dataset, "Modality")
    pixels = modality not in NO_IMAGES and dataset.get("Rows") is not None and dataset.get("Columns") is not None
    return DicomHeader(
        file=name,
        modality=modality,
        description=_text(dataset, "SeriesDescription"),
        sop_class=_text(dataset, "SOPClassUID"),
        sop_uid=_text(dataset, "SOPInstanceUID"),
        series_uid=_text(dataset, "SeriesInstanceUID"),
        study_uid=_text(dataset, "StudyInstanceUID"),
        patient_id=_text(dataset, "PatientID"),
        refers_to=_references(dataset) if modality in MASKS else (),
        slices=_slices(dataset, name) if pixels else (),
        patient_name=_person(dataset),
    )


def _slices(dataset: Any, name: str) -> tuple[DicomSlice, ...]:
    shared = next(iter(dataset.get("SharedFunctionalGroupsSequence") or []), None)
    groups = dataset.get("PerFrameFunctionalGroupsSequence")
    if groups:
        return tuple(_slice(dataset, [group, shared, dataset], name, place) for place, group in enumerate(groups))
    count = int(dataset.get("NumberOfFrames") or 1)
    if count > 1 and dataset.get("ImagePositionPatient") is not None:
        del dataset.ImagePositionPatient  # one position for all frames (a film of one slice) places none of them
    return tuple(_slice(dataset, [dataset], name, place) for place in range(count))


def _slice(dataset: Any, groups: list[Any], name: str, frame: int) -> DicomSlice:
    """Look each tag up in the frame's groups, then in the shared ones, then in the file."""
    orientation = _numbers(groups, "PlaneOrientationSequence", "ImageOrientationPatient", 6)
    position = _numbers(groups, "PlanePositionSequence", "ImagePositionPatient", 3)
    placed = position is not None and orientation is not None
    thickness = _numbers(groups, "PixelMeasuresSequence", "SpacingBetweenSlices", 1)
    thickness = thickness or _numbers(groups, "PixelMeasuresSequence", "SliceThickness", 1)
    image_type = [str(part).upper() for part in _many(dataset.get("ImageType"))]
    return DicomSlice(
        file=name,
        frame=frame,
        rows=int(dataset.Rows),
        columns=int(dataset.Columns),
        position=position if placed else None,
        orientation=orientation if placed else None,
        pixel_spacing_mm=_pixel_spacing(dataset, groups),
        thickness_mm=abs(thickness[0]) if thickness and thickness[0] else 1.0,
        localizer="LOCALIZER" in image_type,
        traits=tuple((tag, value) for tag in TRAITS if (value := _trait(groups, tag))),
    )


def _pixel_spacing(dataset: Any, groups: list[Any]) -> tuple[float, ...] | None:
    found = _numbers(groups, "PixelMeasuresSequence", "PixelSpacing", 2)
    for tag in ("ImagerPixelSpacing", "NominalScannedPixelSpacing"):
        found = found or _numbers([dataset], "", tag, 2)
    regions = dataset.get("SequenceOfUltrasoundRegions") or []
    if found is None and len(regions) == 1 and regions[0].get("PhysicalUnitsXDirection") == 3:  # centimetres
        found = (10 * abs(float(regions[0].PhysicalDeltaY)), 10 * abs(float(regions[0].PhysicalDeltaX)))
    return found if found and min(found) > 0 else None


def _numbers(groups: list[Any], sequence: str, tag: str, count: int) -> tuple[float, ...] | None:
    for group in groups:
        for holder in (next(iter(group.get(sequence) or []), None) if group is not None and sequence else None, group):
            value = None if holder is None else holder.get(tag)
            numbers = tuple(float(part) for part in _many(value)) if value is not None else ()
            if len(numbers) == count:
                return numbers
    return None


def _trait(groups: list[Any], tag: str) -> str:
    """Find a tag in the frame's groups (at most two levels deep) or the file, as text."""
    for group in groups:
        if group is None:
            continue
        if group.get(tag) is not None:
            return "\\".join(str(part) for part in _many(group.get(tag)))
        for element in group if group is not groups[-1] else ():
            for item in element.value if element.VR == "SQ" else ():
                if item.get(tag) is not None:
                    return "\\".join(str(part) for part in _many(item.get(tag)))
    return ""


def _references(dataset: Any) -> tuple[str, ...]:
    found = [str(item.SeriesInstanceUID) for item in dataset.get("ReferencedSeriesSequence") or []]
    for frame in dataset.get("ReferencedFrameOfReferenceSequence") or []:
        for study in frame.get("RTReferencedStudySequence") or []:
            found += [str(item.SeriesInstanceUID) for item in study.get("RTReferencedSeriesSequence") or []]
    return tuple(dict.fromkeys(found))


def _many(value: Any) -> list[Any]:
    if value is None:
        return []
    return [value] if isinstance(value, str | int | float) else list(value)


def _person(dataset: Any) -> str:
    """The patient's name, which no image needs: one in an unknown alphabet is no damage."""
    try:
        return _text(dataset, "PatientName")
    except (*NOT_DICOM, LookupError):
        return ""


def _text(dataset: Any, tag: str) -> str:
    return str(dataset.get(tag) or "").strip()
