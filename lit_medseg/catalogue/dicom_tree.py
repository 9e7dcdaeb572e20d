"""DICOM files in any tree of folders, as a scanner or an archive exports them."""

import posixpath
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Literal

from lit_medseg.catalogue.case import Case, Ref
from lit_medseg.catalogue.dicom_studies import (
    DicomStudy,
    series_folder,
    series_in_folders,
    series_ref,
    series_text,
    sort_studies,
)
from lit_medseg.catalogue.source import Listing, Source, listing
from lit_medseg.errors import ConfigError, DataError, expected_got

if TYPE_CHECKING:
    from lit_medseg.imaging.dicom_series import DicomSeries


@dataclass(frozen=True)
class DicomTree(Source):
    """Finds the series of every study (or patient) by modality and description; the names of files do not count.

    Patients are salted hashes of PatientID: no identifier of DICOM enters a case. The case's id is the hash, with that
    of the study behind it where a case is a study.

    Attributes:
        channels: Regular expression by channel, searched in "MODALITY SeriesDescription variant" without regard to
            case: `{t2: ^MR .*t2.*tra, adc: ADC}`.
        per: What a case is: a `study`, or a `patient` with all studies.
        names: What cases are called: `hashed`, or by the `folder` that holds their series (for data whose folders name
            nobody).
        objects: Regular expression for the DICOM-SEG or RTSTRUCT that holds the mask, searched in "SEG description";
            it has to refer to one of the channels' series. None where the masks are other files, or there are none.
        segments: With `objects`: labels of the segments that are the overlapping classes, in their order; None takes
            all segments as exclusive classes, coded by their numbers.
        mask: Glob of the mask file instead of `objects`, relative to the root; `{folder}` stands for the folder that
            holds the case's series, and every named group of `folder_pattern` for what it found. A list of globs: one
            per overlapping class.
        folder_pattern: Regular expression on that folder, such as `ProstateX-(?P<number>[0-9]+)`.
        incomplete: Cases that lack a channel or a mask: `refuse` them, or `skip` them.
        irregular: Series with a gantry tilt or uneven gaps: `refuse` them, or `resample` them onto a regular grid.
        salt: File with the salt of the hashes; None for the one of this user on this machine. Machines that have to
            agree on patients share the file.
    """

    channels: dict[str, str] = field(default_factory=lambda: {"image": ""})
    per: Literal["study", "patient"] = "study"
    names: Literal["hashed", "folder"] = "hashed"
    objects: str | None = None
    segments: Sequence[str] | None = None
    mask: str | Sequence[str] | None = None
    folder_pattern: str | None = None
    incomplete: Literal["refuse", "skip"] = "refuse"
    irregular: Literal["refuse", "resample"] = "refuse"
    salt: str | None = None

    def __post_init__(self) -> None:
        """Refuse keys that contradict each other, and patterns that are none.

        Raises:
            ConfigError: No channels, two kinds of masks, segments without objects, or no regular expression.
        """
        if not self.channels:
            todo = "Name one: `{image: }` takes any series"
            raise ConfigError(expected_got("channels", "there are none", "a pattern by channel", "{}", todo))
        if self.mask is not None and self.objects is not None:
            todo = "Keep `objects` for DICOM-SEG and RTSTRUCT, `mask` for other files"
            raise ConfigError(expected_got("mask", "it stands beside objects", "one of them", "both", todo))
        if self.segments is not None and self.objects is None:
            todo = "Give `objects` too: '' takes any"
            raise ConfigError(expected_got("segments", "there is nothing to take them from", "objects", "none", todo))
        for key, text in (*self.channels.items(), ("objects", self.objects), ("folder_pattern", self.folder_pattern)):
            try:
                re.compile(text or "")
            except re.error as error:
                todo = "Correct the pattern"
                what = "it is no regular expression"
                raise ConfigError(expected_got(key, what, "a pattern", f"{text!r} ({error})", todo)) from error

    def list(self) -> Listing:
        """List the studies; lacking and ambiguous series and masks become faults.

        Raises:
            DataError: The root is missing, or holds no DICOM images.
        """
        from lit_medseg.imaging.dicom_identity import local_salt  # noqa: PLC0415 start-up stays quick without pydicom
        from lit_medseg.imaging.find_dicom_series import find_dicom_masks, find_dicom_series  # noqa: PLC0415

        series = find_dicom_series(self.folder)
        if not series:
            todo = "Correct `root`: a folder with DICOM files in it or below"
            raise DataError(expected_got(self.root, "it holds no DICOM images", "series", 0, todo))
        salt = local_salt(None if self.salt is None else Path(self.salt))
        number_in = series_in_folders(series)
        studies = sort_studies(series, find_dicom_masks(self.folder), self.per == "patient")
        cases: list[Case] = []
        faults: list[str] = []
        for study in studies:
            try:
                case = self._case(study, number_in, salt)
            except DataError as fault:
                faults.append(str(fault))
            else:
                cases += [] if case is None else [case]
        return listing(cases, faults)

    def _case(self, study: DicomStudy, number_in: Mapping[str, int], salt: bytes) -> Case | None:
        """Make one case; None for one that is skipped.

        Raises:
            DataError: A channel or mask lacks, or several match.
        """
        from lit_medseg.imaging.dicom_identity import hashed_id  # noqa: PLC0415

        patient = hashed_id(study.patient_id, salt) if study.patient_id else None
        hashes = [patient or "", hashed_id(study.study_uid, salt) if study.study_uid else ""]
        where = f"case {'-'.join(part for part in hashes if part)}".rstrip()
        if where == "case" and self.names == "hashed":
            what, todo = "a study cannot be called by its patient", "Set `names: folder` in the source"
            expected = "PatientID or StudyInstanceUID"
            raise DataError(expected_got(self.root, what, expected, f"neither in {len(study.series)} series", todo))
        found = {name: study.channel(where, name, pattern) for name, pattern in self.channels.items()}
        lacking = [name for name, one in found.items() if one is None]
        if lacking:
            return self._skip(where, f"no series for {lacking}", study)
        images: dict[str, DicomSeries] = {name: one for name, one in found.items() if one is not None}
        folder = _common([series_folder(one) for one in images.values()])
        case_id = where.removeprefix("case ") if self.names == "hashed" else folder
        masks = self._masks(study, [*images.values()], folder, f"case {case_id}")
        if masks is None:
            return self._skip(f"case {case_id}", "no mask", study)
        return Case(
            case_id=case_id,
            patient_id=patient,
            images=tuple(series_ref(one, number_in, self.irregular == "resample") for one in images.values()),
            masks=masks,
            metadata={"modality": "+".join(sorted({one.modality for one in images.values()}))},
            channels=() if len(images) == 1 and "image" in images else tuple(images),
        )

    def _skip(self, where: str, got: str, study: DicomStudy) -> Case | None:
        """Give None for a case that is skipped; refuse it with what it has otherwise.

        Raises:
            DataError: The YAML does not skip such cases.
        """
        if self.incomplete == "skip":
            return None
        has = ", ".join(f"{series_text(one)!r}" for one in study.series[:10])
        todo = "Correct the patterns, or leave such cases out with `incomplete: skip`"
        raise DataError(expected_got(where, "the case is incomplete", "one of each", f"{got} among {has}", todo))

    def _masks(
        self, study: DicomStudy, images: Sequence["DicomSeries"], folder: str, where: str
    ) -> tuple[Ref, ...] | None:
        """Find the masks; none without a key for them, None where they lack.

        Raises:
            DataError: Several match, or `folder_pattern` does not.
        """
        if self.objects is not None:
            drawn = study.drawn_on(images, where, self.objects)
            labels = ("",) if self.segments is None else tuple(self.segments)
            return None if drawn is None else tuple(Ref(drawn.file, label) for label in labels)
        globs = () if self.mask is None else (self.mask,) if isinstance(self.mask, str) else tuple(self.mask)
        found = [self._file(glob, folder, where) for glob in globs]
        refs = tuple(Ref(file) for file in found if file is not None)
        return refs if len(refs) == len(globs) else None

    def _file(self, glob: str, folder: str, where: str) -> str | None:
        """Find the one file of a glob, relative to the root; None where there is none.

        Raises:
            DataError: Several match, or `folder_pattern` does not.
        """
        words = {"folder": folder, "name": PurePosixPath(folder).name}
        if self.folder_pattern is not None:
            match = re.search(self.folder_pattern, folder)
            if match is None:
                todo = "Correct `folder_pattern`"
                raise DataError(expected_got(where, "the folder has another name", self.folder_pattern, folder, todo))
            words |= match.groupdict(default="")
        try:
            pattern = glob.format(**words)
        except (KeyError, IndexError, ValueError) as error:
            todo = "Use {folder}, {name} or a named group of `folder_pattern`"
            raise ConfigError(
                expected_got("mask", "it cannot be filled in", sorted(words), repr(glob), todo)
            ) from error
        files = sorted(file.relative_to(self.folder).as_posix() for file in self.folder.glob(pattern))
        if len(files) > 1:
            todo = "Narrow the glob `mask`"
            raise DataError(expected_got(f"{where}, mask", "several files match", "one file", ", ".join(files), todo))
        return files[0] if files else None


def _common(folders: Sequence[str]) -> str:
    """Give the deepest folder above all of them; `.` for the root."""
    return posixpath.commonpath(folders) or "."
