"""A case that could not be predicted, and why: the others go on."""

import re
from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

from lit_medseg.catalogue.case import Case
from lit_medseg.errors import MedSegError, expected_got

_HASH = re.compile(r"[0-9a-f]{12}")
Stage = Literal["reading", "preprocessing", "prediction", "writing", "DICOM-SEG"]
_TODO: dict[Stage, str] = {
    "reading": "Open the study in another program, export it anew, or leave it out",
    "preprocessing": "Compare the study with those of the training: kind, size, spacing",
    "prediction": "Compare the study with those of the training: kind, size, spacing",
    "writing": "See that the folder can be written to and has room",
    "DICOM-SEG": "Use the NIfTI",
}


@dataclass(frozen=True)
class SkippedCase:
    """One line of `failed.csv`.

    Attributes:
        case_id: The case; empty where files make no case.
        stage: What it failed in; `DICOM-SEG`: it is predicted, and only that file could not be made.
        reason: One line in the house form.
    """

    case_id: str
    stage: Stage
    reason: str

    def plain(self) -> dict[str, Any]:
        """Give the line as plain data."""
        return asdict(self)


def skipped_case(case_id: str, stage: Stage, error: Exception) -> SkippedCase:
    """Put an error into one line about a case.

    Args:
        case_id: The case.
        stage: What it failed in.
        error: An error of ours keeps its words; of a foreign one, kind and first line are told.
    """
    where = f"case {case_id}"
    text = " ".join(str(error).split())
    if isinstance(error, MedSegError):
        return SkippedCase(case_id, stage, text if text.startswith("case ") else f"{where}, {text}")
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError":
        todo = "Free memory, lower memory_limit_gib of the sliding window, or use a machine with more"
        reason = expected_got(where, f"out of memory in its {stage}", "room for the whole study", "none left", todo)
        return SkippedCase(case_id, stage, reason)
    got = f"{type(error).__name__}: {text[:200].rstrip('.')}"
    return SkippedCase(case_id, stage, expected_got(where, f"its {stage} failed", "no error", got, _TODO[stage]))


def nameless(skipped: SkippedCase, case: Case | None) -> SkippedCase:
    """Take identifiers out of the reason that errors have from the folders' names.

    Args:
        skipped: The line.
        case: Its id has a hash in the place of each part of its files' folders that names a patient or a series; None
            where files make no case.
    """
    reason = skipped.reason
    for ref in () if case is None else case.images:
        for part, told in zip(ref.path.split("/"), skipped.case_id.split("/"), strict=False):
            reason = reason.replace(part, told) if part != told and _HASH.fullmatch(told) else reason
    return replace(skipped, reason=reason)


def skipped_in_reading(fault: str, case_ids: Iterable[str]) -> SkippedCase:
    """Find the case that a fault of the catalogue is about.

    Args:
        fault: `case <id>: ...` or `case <id>, <file>: ...`, or about files that make no case.
        case_ids: The ids of the listed cases; a case that is not listed is known by the fault alone.
    """
    known = [one for one in case_ids if fault.startswith((f"case {one}:", f"case {one},"))]
    guessed = re.match(r"case (?P<id>.+?)(?:, |: )", fault)
    case_id = max(known, key=len) if known else "" if guessed is None else guessed["id"]
    return SkippedCase(case_id, "reading", fault)
