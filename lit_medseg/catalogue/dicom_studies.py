"""The image series and mask objects of a DICOM tree, sorted into studies or patients."""

import posixpath
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from lit_medseg.catalogue.case import Ref
from lit_medseg.errors import DataError, expected_got
from lit_medseg.imaging.place_name import place_name
from lit_medseg.imaging.read_dicom_series import RESAMPLE

if TYPE_CHECKING:
    from lit_medseg.imaging.dicom_series import DicomMask, DicomSeries


@dataclass(frozen=True)
class DicomStudy:
    """What belongs to one case.

    Attributes:
        patient_id: PatientID; to be hashed before it is written anywhere. Empty where the files have none.
        study_uid: StudyInstanceUID, to be hashed likewise; empty where all studies of a patient are one case.
        series: Image series; scouts only where there is nothing else.
        masks: DICOM-SEG and RTSTRUCT files.
    """

    patient_id: str
    study_uid: str
    series: "Sequence[DicomSeries]"
    masks: "Sequence[DicomMask]"

    def channel(self, where: str, name: str, pattern: str) -> "DicomSeries | None":
        """Find the series of a channel.

        Args:
            where: What errors call the case.
            name: The channel.
            pattern: Regular expression, searched in "MODALITY description variant" without regard to case.

        Returns:
            The series; None where none matches.

        Raises:
            DataError: Several match; they are listed by description, number of slices and folder.
        """
        found = [series for series in self.series if re.search(pattern, series_text(series), re.IGNORECASE)]
        if len(found) < 2:
            return found[0] if found else None
        todo = f"Narrow the pattern of {name!r}; `variant` is what tells stacks of one series apart"
        got = "; ".join(
            f"{series_text(series)!r} of {len(series.slices)} slices in {place_name(Path(series_folder(series)))}"
            for series in found[:10]
        )
        raise DataError(expected_got(f"{where}, {name}", "several series match", "one series", got, todo))

    def drawn_on(self, channels: "Sequence[DicomSeries]", where: str, pattern: str) -> "DicomMask | None":
        """Find the DICOM-SEG or RTSTRUCT that was drawn on one of the channels.

        Returns:
            The object; None where there is none.

        Raises:
            DataError: There are several.
        """
        uids = {series.series_uid for series in channels}
        found = [
            mask
            for mask in self.masks
            if (not mask.refers_to or uids & set(mask.refers_to))
            and re.search(pattern, f"{mask.modality} {mask.description}", re.IGNORECASE)
        ]
        if len(found) < 2:
            return found[0] if found else None
        todo = "Narrow the pattern `objects`"
        got = "; ".join(f"{mask.modality} {mask.description!r}" for mask in found)
        raise DataError(expected_got(f"{where}, mask", "several objects match", "one DICOM-SEG or RTSTRUCT", got, todo))


def series_text(series: "DicomSeries") -> str:
    """Write what patterns are searched in: modality, description and variant."""
    return " ".join(part for part in (series.modality, series.description, series.variant) if part)


def sort_studies(
    series: "Sequence[DicomSeries]", masks: "Sequence[DicomMask]", whole_patients: bool
) -> list[DicomStudy]:
    """Sort series and masks into cases.

    Args:
        series: All image series of a tree.
        masks: All mask objects of it.
        whole_patients: Whether all studies of a patient are one case; files without PatientID stay one case a study.

    Returns:
        The cases that have a series, in the order of their first files.
    """

    def owner(one: "DicomSeries | DicomMask") -> tuple[str, str]:
        return (one.patient_id, "" if whole_patients and one.patient_id else one.study_uid)

    members: dict[tuple[str, str], list[DicomSeries]] = {}
    for one in series:
        members.setdefault(owner(one), []).append(one)
    home = {one.series_uid: key for key, found in members.items() for one in found}
    drawn: dict[tuple[str, str], list[DicomMask]] = {}
    for mask in masks:
        # What it refers to decides: objects that were made anonymous lack the patient. Without reference, the owner.
        keys = {home[uid] for uid in mask.refers_to if uid in home} if mask.refers_to else {owner(mask)}
        for key in keys:
            drawn.setdefault(key, []).append(mask)
    return [
        DicomStudy(*key, [one for one in found if not one.localizer] or found, drawn.get(key, []))
        for key, found in members.items()
    ]


def series_folder(series: "DicomSeries") -> str:
    """Give the deepest folder that holds all files of a series, relative to the scanned one; `.` for itself."""
    return posixpath.commonpath([posixpath.dirname(file) or "." for file in series.files]) or "."


def series_ref(series: "DicomSeries", number_in: Mapping[str, int], resample: bool) -> Ref:
    """Write where a series is stored.

    Args:
        series: Of the tree's root.
        number_in: From `series_in_folders`.
        resample: Whether tilted and uneven slices are to be interpolated.

    Returns:
        The folder, with the first file as key where other series lie in it too.
    """
    folder = series_folder(series)
    key = "" if number_in[folder] == 1 else posixpath.relpath(series.key, folder)
    return Ref(folder, f"{RESAMPLE}{key}" if resample else key)


def series_in_folders(series: "Sequence[DicomSeries]") -> Counter[str]:
    """Count, for every folder of the tree, the series that have files in it or below."""
    return Counter(folder for one in series for folder in _folders_above(one))


def _folders_above(series: "DicomSeries") -> set[str]:
    own = {posixpath.dirname(file) for file in series.files}
    return {
        ".",
        *(path.as_posix() for folder in own for path in (PurePosixPath(folder), *PurePosixPath(folder).parents)),
    }
