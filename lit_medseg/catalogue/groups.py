"""Cases that must stay together, and what has to be balanced over the sets."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from lit_medseg.catalogue.entry import Entry
from lit_medseg.errors import SplitError, expected_got


@dataclass(frozen=True)
class Group:
    """All cases of a patient (or one case where no patient is known).

    Attributes:
        name: The patient's or the case's id.
        case_ids: Its cases.
        strata: Number of its cases by stratum.
        classes: Classes that any of its cases has.
    """

    name: str
    case_ids: tuple[str, ...]
    strata: Mapping[str, int]
    classes: frozenset[str]


def groups_of(entries: Iterable[Entry], stratify: str | None) -> tuple[Group, ...]:
    """Group cases by patient.

    Args:
        entries: The cases.
        stratify: Metadata column whose values are the strata; None takes the classes present (the label, or the set of
            classes in the mask).

    Returns:
        The groups, sorted by name; none for no cases.

    Raises:
        SplitError: A case lacks the column.
    """
    # A patient and a case without one never meet under one name: the flag stands before the id.
    members: dict[tuple[bool, str], list[Entry]] = {}
    for entry in entries:
        members.setdefault((entry.case.patient_id is None, entry.case.group), []).append(entry)
    return tuple(
        Group(
            name=name,
            case_ids=tuple(sorted(entry.case.case_id for entry in found)),
            strata=Counter(_stratum(entry, stratify) for entry in found),
            classes=frozenset(kind for entry in found for kind in entry.present),
        )
        for (_, name), found in sorted(members.items())
    )


def _stratum(entry: Entry, stratify: str | None) -> str:
    """Name the stratum of a case."""
    if stratify is None:
        return "+".join(entry.present)
    if stratify not in entry.case.metadata:
        todo = "Name a column in `stratify`, or leave it out to balance the classes"
        columns = sorted(entry.case.metadata)
        raise SplitError(
            expected_got(f"case {entry.case.case_id}", f"no column {stratify}", f"one of {columns}", "none", todo)
        )
    return entry.case.metadata[stratify]
