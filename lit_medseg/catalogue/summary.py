"""What is told about the data of a run: to MLflow, to reports, to the terminal."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import PurePath
from typing import Any

from lit_medseg.catalogue.classes import Classes
from lit_medseg.catalogue.manifest import Manifest
from lit_medseg.catalogue.split import Split


@dataclass(frozen=True)
class DataSummary:
    """The data of a run in numbers.

    Attributes:
        name: Last part of the source's root.
        cases: Number of cases by set (train, val, test).
        patients: Number of patients by set; a case without a patient id counts as a patient of its own.
        classes: Number of cases that have a class, by set and class.
        unused: Number of cases that are in no set.
        data_hash: Hash of all pixels, truths and metadata.
        split_hash: Hash of the sets.
        split_rule: How the split was made.
        source: The source as plain data.
    """

    name: str
    cases: Mapping[str, int]
    patients: Mapping[str, int]
    classes: Mapping[str, Mapping[str, int]]
    unused: int
    data_hash: str
    split_hash: str
    split_rule: str
    source: Mapping[str, Any]

    @property
    def key(self) -> str:
        """Both hashes: runs of the same key have seen the same data in the same sets."""
        return f"{self.data_hash}-{self.split_hash}"

    def plain(self) -> dict[str, Any]:
        """Give the summary as plain data."""
        return asdict(self)


def summarise(manifest: Manifest, split: Split, classes: Classes) -> DataSummary:
    """Count cases, patients and classes of each set.

    Args:
        manifest: All cases.
        split: Their sets; every id is known (`check_split` has passed).
        classes: The declared classes; those without cases count 0.
    """
    entries = {name: [manifest.by_id[case_id] for case_id in ids] for name, ids in split.sets.items()}
    return DataSummary(
        name=PurePath(str(manifest.source.get("init_args", {}).get("root", ""))).name,
        cases={name: len(found) for name, found in entries.items()},
        patients={name: len({entry.case.group for entry in found}) for name, found in entries.items()},
        classes={
            name: {kind: sum(kind in entry.present for entry in found) for kind in classes.names}
            for name, found in entries.items()
        },
        unused=len(manifest.entries) - sum(len(found) for found in entries.values()),
        data_hash=manifest.data_hash,
        split_hash=split.split_hash,
        split_rule=split.rule,
        source=manifest.source,
    )
