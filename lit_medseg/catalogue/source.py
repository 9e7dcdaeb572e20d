"""Where cases come from: a source lists them, it does not read their pixels."""

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from lit_medseg.catalogue.case import Case
from lit_medseg.catalogue.data_root import resolve_root
from lit_medseg.errors import DataError, expected_got


@dataclass(frozen=True)
class Listing:
    """What a source found.

    Attributes:
        cases: The cases, sorted by `case_id`; every id once.
        faults: What is wrong with the rest, one line each in the house form (orphans, doubled ids, empty cells); the
            manifest reports them together with the faults of the files.
    """

    cases: tuple[Case, ...]
    faults: tuple[str, ...] = ()


@dataclass(frozen=True)
class Source(ABC):
    """A folder of cases. Children are frozen dataclasses that a YAML names by class path.

    Attributes:
        root: Folder, as the YAML gave it; a relative one starts from `$LIT_MEDSEG_DATA`, else from the working folder.
    """

    root: str

    @property
    def folder(self) -> Path:
        """The folder that the cases' references start from.

        Raises:
            DataError: It does not exist.
        """
        folder = resolve_root(self.root)
        if not folder.is_dir():
            todo = "Correct `root` in the YAML, or set LIT_MEDSEG_DATA to the folder that relative roots start from"
            got = "a file" if folder.exists() else "nothing there"
            raise DataError(expected_got(self.root, "the data set's folder is missing", "a folder", got, todo))
        return folder

    def prepare(self) -> None:  # noqa: B027 (most sources have nothing to make)
        """Make the files where the source makes them itself; safe to call from several processes; else nothing."""

    @abstractmethod
    def list(self) -> Listing:
        """Find the cases.

        Raises:
            DataError: The folder, table or archive as a whole cannot be used; single cases become faults instead.
        """

    def plain(self) -> dict[str, Any]:
        """Give the source as plain data: `{"class_path": ..., "init_args": {...}}`."""
        kind = type(self)
        return {"class_path": f"{kind.__module__}.{kind.__qualname__}", "init_args": asdict(self)}


def listing(cases: Iterable[Case], faults: Iterable[str] = ()) -> Listing:
    """Sort the cases and turn doubled ids into faults.

    Args:
        cases: Cases in any order.
        faults: Faults found so far.

    Returns:
        The listing; of a doubled id the first case stays, and a fault names all of its images.
    """
    found = list(cases)
    counts = Counter(case.case_id for case in found)
    first: dict[str, Case] = {}
    for case in found:
        first.setdefault(case.case_id, case)
    doubled = [
        expected_got(
            f"case {case_id}",
            "the id is doubled",
            "one case of that id",
            f"{count}: " + ", ".join(str(case.images[0]) for case in found if case.case_id == case_id),
            "Rename a file or add a column to the `case` template",
        )
        for case_id, count in sorted(counts.items())
        if count > 1
    ]
    return Listing(tuple(first[case_id] for case_id in sorted(first)), (*faults, *doubled))
