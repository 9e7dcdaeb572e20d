"""One case: which files hold its images and its truth."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from lit_medseg.imaging.place_name import place_name


@dataclass(frozen=True, order=True)
class Ref:
    """Where one array is stored.

    Attributes:
        path: File, relative to the source's root, with forward slashes; for a DICOM series the folder of its files.
        key: Name of the array within an archive (`.npz`, HDF5); of a DICOM series its first file, relative to `path`
            (empty where the folder holds one series); of a DICOM-SEG or RTSTRUCT file one segment's label (empty for
            all, coded by their numbers); empty for a plain image file.
        index: Row of a NumPy or HDF5 array along its first axis, or channel of an image of four dimensions; None for
            the whole array.
    """

    path: str
    key: str = ""
    index: int | None = None

    def __str__(self) -> str:
        """Name the place as a person would: `file`, `file:key`, `file:key[7]`; DICOM identifiers are shortened."""
        return place_name(Path(self.path), self.key, self.index)


@dataclass(frozen=True)
class Case:
    """One image (all channels) with its truth.

    Attributes:
        case_id: Unique within the data set.
        patient_id: Whose image it is; None where the data set has no patient ids (the YAML must say so).
        images: The files of the channels, in channel order; usually one file with all of them.
        masks: Segmentation: one file of codes, or one file per overlapping class in the classes' order; else empty.
        labels: Classification: the classes that apply (exactly one unless they overlap); None where unknown.
        metadata: Free columns (site, sex, scanner, ...) that reports can group by.
        channels: Names of the images, parallel to `images`; empty where they have none.
    """

    case_id: str
    patient_id: str | None
    images: tuple[Ref, ...]
    masks: tuple[Ref, ...] = ()
    labels: tuple[str, ...] | None = None
    metadata: Mapping[str, str] = field(default_factory=dict)
    channels: tuple[str, ...] = ()

    @property
    def group(self) -> str:
        """What must not be spread over sets: the patient, or the case itself where no patient is known."""
        return self.case_id if self.patient_id is None else self.patient_id
