"""DICOM-SEG objects, written whole or not at all."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lit_medseg.errors import DataError, expected_got
from lit_medseg.imaging.dicom_series import DicomSeries
from lit_medseg.imaging.dicom_slice import DicomSlice
from lit_medseg.imaging.find_dicom_series import one_dicom_series
from lit_medseg.imaging.late_imports import LATE_IMPORTS
from lit_medseg.imaging.place_name import place_name
from lit_medseg.imaging.quiet_dicom import quiet_dicom
from lit_medseg.imaging.read_dicom_series import series_affine
from lit_medseg.imaging.same_grid import onto_grid
from lit_medseg.imaging.slice_line import line_faults, slice_line
from lit_medseg.imaging.volume import Volume, placed_volume
from lit_medseg.imaging.whole_codes import whole_codes
from lit_medseg.imaging.whole_file import whole_file

BLANK = (
    "PatientID", "PatientName", "PatientBirthDate", "PatientSex", "AccessionNumber", "StudyID", "StudyDate",
    "StudyTime",
)  # fmt: skip
PATIENT_GROUPS = (0x0010, 0x0032, 0x0038, 0x0040)  # patient, request, visit, procedure
STUDY_TEXTS = ("StudyDescription", "ReferringPhysicianName", "PerformingPhysicianName", "InstitutionName")
NEEDED = ("SOPClassUID", "SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID", "FrameOfReferenceUID")
REFUSED = (ValueError, TypeError, AttributeError, KeyError, IndexError)


def write_dicom_seg(
    path: Path,
    mask: Volume,
    reference: Path,
    key: str = "",
    names: Mapping[int, str] | None = None,
    keep_patient: bool = False,
) -> None:
    """Write a mask as a DICOM-SEG of the series that it belongs to.

    The object refers to the series' images by their identifiers, which it must; patient, dates and accession number
    are left empty unless they are asked for. Codes 1 to K become a binary object, readable everywhere; codes with
    gaps, a label map (DICOM 2024), so that segment numbers stay codes.

    Args:
        path: `.dcm`.
        mask: `(1, D, H, W)` codes, or `(K, D, H, W)` planes of overlapping classes (plane k is code k + 1).
        reference: Folder (or file) of the series.
        key: The series' first file relative to the folder; empty where there is one.
        names: Label by code; `class 3` where one is missing. Named codes without a voxel are segments too.
        keep_patient: Copy patient and study data, so that an archive files the object beside its images.

    Raises:
        DataError: No or several series, irregular slices, another grid, a series made anonymous beyond use, no code.
        OSError: The disk refuses.
    """
    where = path.name
    series = one_dicom_series(reference, key)
    slices, affine = _sorted(series, place_name(reference, key))
    shape = (1, len(slices), slices[0].rows, slices[0].columns)
    grid = placed_volume(np.broadcast_to(np.zeros((), np.uint8), shape), affine)
    placed = onto_grid(mask, grid, where)
    planes = whole_codes(placed.array, where)
    labels = _labels(planes, names or {}, where)
    with quiet_dicom():
        sources = _sources(series, slices, keep_patient, where)
        try:
            made = _segmentation(planes, labels, slices, sources, placed.spacing_mm[0])
        except REFUSED as error:
            todo = "Write NIfTI, or restore the tags that were taken out of the series"
            what = "the series does not carry what a DICOM-SEG needs"
            got = " ".join(str(error).split())[:160]
            raise DataError(expected_got(where, what, "complete headers", got, todo)) from error
        with whole_file(path) as half:
            made.save_as(half)


def _sorted(series: DicomSeries, where: str) -> tuple[list[DicomSlice], NDArray[np.float64]]:
    """The slices in the order of a volume's, without pixels."""
    unique = list({one.position: one for one in reversed(series.slices)}.values())
    first = unique[0]
    if first.position is None or first.pixel_spacing_mm is None:
        todo = "Write PNG or NIfTI"
        raise DataError(expected_got(where, "the series has no place in a patient", "a volume", "a picture", todo))
    line = slice_line([one.position or () for one in unique], first.orientation or (), where)
    faults = line_faults(line)
    if faults:
        todo = "Write NIfTI"
        what = "the slices make no regular volume"
        raise DataError(expected_got(where, what, "even gaps", "; ".join(faults), todo))
    affine = series_affine(line, first.pixel_spacing_mm, first.thickness_mm)
    return [unique[place] for place in line.order], affine


def _labels(planes: NDArray[np.integer], names: Mapping[int, str], where: str) -> dict[int, str]:
    """Label by code, for all codes that are named or used."""
    used = range(1, len(planes) + 1) if len(planes) > 1 else np.unique(planes).tolist()
    codes = sorted({*(code for code in used if code), *names} - {0})
    if not codes or min(codes) < 0 or max(codes) > 65535:
        todo = "Name the classes (an empty mask needs names)"
        raise DataError(expected_got(where, "the codes are no segments", "1 to 65535", codes, todo))
    return {code: names.get(code, f"class {code}")[:64] for code in codes}


def _sources(series: DicomSeries, slices: Sequence[DicomSlice], keep_patient: bool, where: str) -> list[Any]:
    """The headers of the slices' files, with blanks for the patient."""
    with LATE_IMPORTS:
        from pydicom import dcmread  # noqa: PLC0415 start-up stays quick without pydicom

    found = []
    for name in dict.fromkeys(one.file for one in slices):
        dataset = dcmread(series.folder / name, stop_before_pixels=True, force=True)
        missing = [tag for tag in NEEDED if not dataset.get(tag)]
        if missing:
            todo = "Write NIfTI, or restore the tags that were taken out of the series"
            what = "the series does not carry what a DICOM-SEG needs"
            raise DataError(expected_got(where, what, "complete headers", f"no {', '.join(missing)}", todo))
        if not dataset.get("SpecificCharacterSet", "x"):  # empty is the default alphabet, but highdicom refuses it
            del dataset.SpecificCharacterSet
        if not keep_patient:
            _forget_patient(dataset)
        for tag in BLANK:
            if dataset.get(tag) is None:
                setattr(dataset, tag, "")
        found.append(dataset)
    return found


def _forget_patient(dataset: Any) -> None:
    """Take out what tells the patient or the visit; the images' identifiers stay."""
    for element in list(dataset):
        if element.tag.group in PATIENT_GROUPS or element.keyword in (*STUDY_TEXTS, *BLANK):
            del dataset[element.tag]


def _segmentation(
    planes: NDArray[np.integer],
    labels: dict[int, str],
    slices: Sequence[DicomSlice],
    sources: list[Any],
    spacing_mm: float,
) -> Any:
    """Let highdicom build the object."""
    with LATE_IMPORTS:
        from highdicom import UID, PixelMeasuresSequence, PlanePositionSequence  # noqa: PLC0415 a second to import
        from highdicom.seg import Segmentation  # noqa: PLC0415

    overlapping = len(planes) > 1
    binary = overlapping or list(labels) == list(range(1, len(labels) + 1))
    codes = np.moveaxis(planes, 0, -1) != 0 if overlapping else planes[0]
    positions = [PlanePositionSequence("PATIENT", one.position or ()) for one in slices]
    new: Any = Segmentation
    return new(
        source_images=sources,
        pixel_array=codes.astype(np.uint8 if max(labels) < 256 else np.uint16),
        segmentation_type="BINARY" if binary else "LABELMAP",
        segment_descriptions=[_description(code, label) for code, label in labels.items()],
        series_instance_uid=UID(),
        series_number=900,
        sop_instance_uid=UID(),
        instance_number=1,
        manufacturer="lit_medseg",
        manufacturer_model_name="lit_medseg",
        software_versions="1",
        device_serial_number="0",
        plane_positions=positions,
        pixel_measures=PixelMeasuresSequence(slices[0].pixel_spacing_mm or (), spacing_mm, spacing_mm),
        omit_empty_frames=bool(codes.any()),
        content_label="SEGMENTATION",
        series_description="Segmentation",
    )


def _description(code: int, label: str) -> Any:
    """A segment by its label; what it is in SNOMED CT is left as general as the standard allows."""
    with LATE_IMPORTS:
        from highdicom import AlgorithmIdentificationSequence  # noqa: PLC0415
        from highdicom.seg import SegmentDescription  # noqa: PLC0415
        from pydicom.sr.coding import Code  # noqa: PLC0415

    return SegmentDescription(
        segment_number=code,
        segment_label=label,
        segmented_property_category=Code("123037004", "SCT", "Anatomical Structure"),
        segmented_property_type=Code("85756007", "SCT", "Tissue"),
        algorithm_type="AUTOMATIC",
        algorithm_identification=AlgorithmIdentificationSequence(
            name="lit_medseg", version="1", family=Code("123110", "DCM", "Artificial Intelligence")
        ),
    )
