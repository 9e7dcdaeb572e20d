"""DICOM series of a folder tree as cases without truth, called by names that identify nobody."""

import posixpath
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from lit_medseg.catalogue.case import Case
from lit_medseg.catalogue.dicom_studies import series_folder, series_in_folders, series_ref, sort_studies
from lit_medseg.imaging.place_name import UNIQUE_ID

if TYPE_CHECKING:
    from lit_medseg.imaging.dicom_series import DicomSeries


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
    """Put a salted hash in place of each part of a path that is, or holds, a DICOM identifier.

    Args:
        name: Folders with forward slashes.
        series: Their patients' ids and the identifiers of studies and series are looked for.
        salt: File with the salt; None for this user's.
    """
    from lit_medseg.imaging.dicom_identity import hashed_id, local_salt  # noqa: PLC0415

    known = {text for one in series for text in (one.patient_id, one.study_uid, one.series_uid) if text}
    parts = [
        hashed_id(part, local_salt(salt)) if part in known or UNIQUE_ID.search(part) else part
        for part in name.split("/")
    ]
    return "/".join(parts)
