"""A stack of DICOM images that makes one volume."""

from dataclasses import dataclass, field
from pathlib import Path

from lit_medseg.imaging.dicom_slice import DicomSlice


@dataclass(frozen=True)
class DicomSeries:
    """Images of one series with one orientation and shape: a volume, or one picture.

    Its text (`repr`) shows neither folders nor identifiers.

    Attributes:
        folder: The scanned folder, which the files' names start from.
        key: What `read_volume(folder, key)` calls it: its first file by path, followed by `#2`, `#3`, ... where that
            file starts several stacks.
        modality: CT, MR, CR, US, ...
        description: SeriesDescription; free text of the scanner's operator.
        variant: What tells it from other stacks of its series (`EchoTime 20`); empty for a whole series.
        slices: In the order of their files and frames.
        patient_id: PatientID; hash it (`dicom_identity.hashed_id`) before it is written anywhere.
        study_uid: StudyInstanceUID; likewise.
        series_uid: SeriesInstanceUID; likewise.
        patient_name: PatientName; never written: it is there to be found in the names of folders.
    """

    folder: Path = field(repr=False)
    key: str = field(repr=False)
    modality: str
    description: str = field(repr=False)
    variant: str
    slices: tuple[DicomSlice, ...] = field(repr=False)
    patient_id: str = field(repr=False)
    study_uid: str = field(repr=False)
    series_uid: str = field(repr=False)
    patient_name: str = field(default="", repr=False)

    @property
    def files(self) -> tuple[str, ...]:
        """The files, relative to `folder`, sorted by path."""
        return tuple(sorted({one.file for one in self.slices}))

    @property
    def localizer(self) -> bool:
        """Whether all images are scouts."""
        return all(one.localizer for one in self.slices)

    @property
    def placed(self) -> bool:
        """Whether the images have a place in the patient (an X-ray has none)."""
        return self.slices[0].position is not None

    @property
    def shape(self) -> tuple[int, int, int]:
        """Number of images, rows, columns."""
        return (len(self.slices), self.slices[0].rows, self.slices[0].columns)

    @property
    def summary(self) -> str:
        """Modality, shape and variant, for errors."""
        text = f"{self.modality} {' x '.join(str(size) for size in self.shape)}"
        return f"{text} ({self.variant})" if self.variant else text


@dataclass(frozen=True)
class DicomMask:
    """A DICOM-SEG or RTSTRUCT file.

    Attributes:
        file: Relative to the scanned folder, with forward slashes.
        modality: SEG or RTSTRUCT.
        description: SeriesDescription.
        patient_id: PatientID; hash it before it is written anywhere.
        study_uid: StudyInstanceUID; likewise.
        refers_to: SeriesInstanceUID of the series that it was drawn on (compare with `DicomSeries.series_uid`).
    """

    file: str
    modality: str
    description: str = field(repr=False)
    patient_id: str = field(repr=False)
    study_uid: str = field(repr=False)
    refers_to: tuple[str, ...] = field(repr=False)
