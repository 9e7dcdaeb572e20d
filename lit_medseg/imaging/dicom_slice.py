"""One slice of a DICOM series, and one file's header: what is needed before any pixel is read."""

from dataclasses import dataclass, field


@dataclass(frozen=True)
class DicomSlice:
    """A single image: a file, or one frame of a multi-frame file.

    Attributes:
        file: Relative to the scanned folder, with forward slashes.
        frame: Place within the file; 0 for a file of one.
        rows: Height in pixels.
        columns: Width in pixels.
        position: Centre of the first pixel (ImagePositionPatient), LPS mm; None for pictures (X-ray, ultrasound).
        orientation: Directions of growing column and of growing row (ImageOrientationPatient); None with `position`.
        pixel_spacing_mm: Distance of rows and of columns; None where unknown.
        thickness_mm: SpacingBetweenSlices, else SliceThickness; only for a slice that is alone.
        localizer: ImageType says that it is a scout.
        traits: Tags that tell images at one position apart (echo, b-value, time, ...), names and values.
    """

    file: str
    frame: int
    rows: int
    columns: int
    position: tuple[float, ...] | None
    orientation: tuple[float, ...] | None
    pixel_spacing_mm: tuple[float, ...] | None
    thickness_mm: float
    localizer: bool
    traits: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class DicomHeader:
    """A file's header. Identifiers never show in its text.

    Attributes:
        file: Relative to the scanned folder, with forward slashes.
        modality: CT, MR, SEG, RTSTRUCT, ...
        description: SeriesDescription.
        sop_class: The kind of object.
        sop_uid: The object's identifier: copies of a file share it.
        series_uid: The series' identifier.
        study_uid: The study's identifier.
        patient_id: PatientID; empty where it is missing.
        refers_to: Identifiers of the series that a SEG or RTSTRUCT was drawn on.
        slices: Its images; empty for objects that are none.
        damaged: It is an image by its first bytes or its name, but its header cannot be read.
        patient_name: PatientName; empty where it is missing.
    """

    file: str
    modality: str
    description: str = field(repr=False)
    sop_class: str = field(repr=False)
    sop_uid: str = field(repr=False)
    series_uid: str = field(repr=False)
    study_uid: str = field(repr=False)
    patient_id: str = field(repr=False)
    refers_to: tuple[str, ...] = field(repr=False)
    slices: tuple[DicomSlice, ...] = field(repr=False)
    damaged: bool = False
    patient_name: str = field(default="", repr=False)
