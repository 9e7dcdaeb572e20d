"""One case: which files hold its images and its truth."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, order=True)
class Ref:
    """Where one array is stored.

    Attributes:
        path: File, relative to the source's root, with forward slashes.
        key: Name of the array within an archive (npz); empty for a plain image file.
        index: Row of that array along its first axis; None for the whole array.
    """

    path: str
    key: str = ""
    index: int | None = None

    def __str__(self) -> str:
        """Name the place as a person would: `file`, `file:key`, `file:key[7]`."""
        text = f"{self.path}:{self.key}" if self.key else self.path
        return text if self.index is None else f"{text}[{self.index}]"


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
    """

    case_id: str
    patient_id: str | None
    images: tuple[Ref, ...]
    masks: tuple[Ref, ...] = ()
    labels: tuple[str, ...] | None = None
    metadata: Mapping[str, str] = field(default_factory=dict)

    @property
    def group(self) -> str:
        """What must not be spread over sets: the patient, or the case itself where no patient is known."""
        return self.case_id if self.patient_id is None else self.patient_id
