"""DICOM series of a folder tree as cases without truth, called by names that identify nobody."""

import posixpath
import re
from collections import Counter
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from lit_medseg.catalogue.case import Case
from lit_medseg.catalogue.dicom_studies import series_folder, series_in_folders, series_ref, sort_studies
from lit_medseg.imaging.place_name import UNIQUE_ID

if TYPE_CHECKING:
    from lit_medseg.imaging.dicom_series import DicomSeries

LEAST_ID = 4  # characters; a patient called 1 is not meant by `series 1`
LEAST_NAME = 3  # letters; initials name nobody


def series_cases(series: "Sequence[DicomSeries]", resample: bool, salt: Path | None) -> list[Case]:
    """Make a case of each series; scouts count only where a study has nothing else.

    Args:
        series: All series of the tree.
        resample: Whether tilted and uneven slices are to be interpolated.
        salt: File with the salt of the hashes; None for this user's.

    Returns:
        Cases called by their folder, relative to the root; where a folder has several series they are
        `<folder>/series-1`, `<folder>/series-2`, ... in the order of their files.
    """
    from lit_medseg.imaging.dicom_identity import hashed_id, local_salt  # noqa: PLC0415 start-up stays quick

    number_in = series_in_folders(series)
    images = sorted((one for study in sort_studies(series, [], False) for one in study.series), key=lambda one: one.key)
    in_folder = Counter(series_folder(one) for one in images)
    counted: Counter[str] = Counter()
    cases: list[Case] = []
    for one in images:
        folder = series_folder(one)
        counted[folder] += 1
        name = anonymous(folder, series, salt)
        if in_folder[folder] > 1 or folder == ".":
            name = posixpath.normpath(posixpath.join(name, f"series-{counted[folder]}"))
        patient = hashed_id(one.patient_id, local_salt(salt)) if one.patient_id else None
        ref = series_ref(one, number_in, resample)
        cases.append(Case(name, patient, (ref,), metadata={"modality": one.modality}))
    return cases


def anonymous(name: str, series: "Sequence[DicomSeries]", salt: Path | None) -> str:
    """Put a salted hash in place of each part of a path that is, or holds, a DICOM identifier or a patient's name.

    Args:
        name: Folders with forward slashes.
        series: Their patients' ids and names and the identifiers of studies and series are looked for. A name that is
            the id again is no name: such data were made anonymous.
        salt: File with the salt; None for this user's.
    """
    from lit_medseg.imaging.dicom_identity import hashed_id, local_salt  # noqa: PLC0415

    known = {text for one in series for text in (one.patient_id, one.study_uid, one.series_uid) if text}
    words = {word for text in known if len(text) >= LEAST_ID for word in (" ".join(_words(text)),) if word}
    names = {word for one in series for word in _names(one)}

    def tells(part: str) -> bool:
        inside = _words(part)
        text = f" {' '.join(inside)} "
        found = part in known or UNIQUE_ID.search(part) or not names.isdisjoint(inside)
        return bool(found) or any(f" {word} " in text for word in words)

    return "/".join(hashed_id(part, local_salt(salt)) if tells(part) else part for part in name.split("/"))


def _names(series: "DicomSeries") -> Sequence[str]:
    """The words of a patient's name, without titles and initials."""
    words = _words(series.patient_name)
    if words == _words(series.patient_id):
        return []
    return [word for word in words if len(word) >= LEAST_NAME and word.isalpha()]


@lru_cache(maxsize=4096)
def _words(text: str) -> tuple[str, ...]:
    """Letters and digits between other signs, without regard to case."""
    return tuple(word for word in re.split(r"[\W_]+", text.casefold()) if word)
