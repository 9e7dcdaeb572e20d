"""Which cases train, validate and test."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

from lit_medseg.catalogue.classes import Classes
from lit_medseg.catalogue.manifest import Manifest
from lit_medseg.catalogue.plain_hash import plain_hash
from lit_medseg.errors import SplitError, expected_got, first_ten

SETS = ("train", "val", "test")


@dataclass(frozen=True)
class Split:
    """Three disjoint sets of case ids, each sorted.

    Attributes:
        train: Cases that the network and everything fitted on data may see.
        val: Cases that choose the checkpoint; may be empty.
        test: Cases that are only evaluated; may be empty.
        rule: How the split was made, for the reader of a report.
        seed: Seed of the drawing; None where nothing was drawn.
    """

    train: tuple[str, ...]
    val: tuple[str, ...]
    test: tuple[str, ...]
    rule: str
    seed: int | None = None

    def __post_init__(self) -> None:
        """Sort the sets: their order means nothing."""
        for name, ids in self.sets.items():
            object.__setattr__(self, name, tuple(sorted(ids)))

    def __str__(self) -> str:
        """Count the sets in a line."""
        counts = ", ".join(f"{name} {len(ids)}" for name, ids in self.sets.items())
        return f"{counts} ({self.rule})"

    @property
    def sets(self) -> dict[str, tuple[str, ...]]:
        """The case ids by set: train, val, test."""
        return {"train": self.train, "val": self.val, "test": self.test}

    @property
    def split_hash(self) -> str:
        """Hash of the sets; the rule that made them does not count."""
        return plain_hash({name: list(ids) for name, ids in self.sets.items()})

    def plain(self) -> dict[str, Any]:
        """Give the split as plain data."""
        return {**asdict(self), **{name: list(ids) for name, ids in self.sets.items()}}

    def to_json(self, path: Path) -> None:
        """Write the split, readable for a person and for `SplitFile`."""
        path.write_text(json.dumps(self.plain(), indent=1) + "\n", encoding="utf-8")

    @classmethod
    def from_plain(cls, plain: Mapping[str, Any]) -> Self:
        """Rebuild a split from what `plain` gave."""
        sets = {name: tuple(plain[name]) for name in SETS}
        return cls(**sets, rule=plain["rule"], seed=plain["seed"])

    @classmethod
    def from_json(cls, path: Path) -> Self:
        """Read what `to_json` wrote."""
        return cls.from_plain(json.loads(path.read_text(encoding="utf-8")))


def check_split(split: Split, manifest: Manifest, classes: Classes) -> None:
    """Refuse a split that cannot give honest scores.

    Args:
        split: The split.
        manifest: The cases that exist.
        classes: The classes that each set must have.

    Raises:
        SplitError: A case that is unknown or in two places, a patient in two sets, no case to train on, a class without
            cases in a set; all of them at once, the first ten named.
    """
    faults = split_faults(split, manifest, classes)
    if faults:
        raise SplitError(f"split: {len(faults)} fault{'s' if len(faults) > 1 else ''}\n{first_ten(faults)}")


def split_faults(split: Split, manifest: Manifest, classes: Classes) -> list[str]:
    """Find everything that `check_split` refuses, one line each in the house form."""
    return [
        *_doubled_cases(split),
        *_unknown_cases(split, manifest),
        *_shared_patients(split, manifest),
        *_missing_classes(split, manifest, classes),
    ]


def _doubled_cases(split: Split) -> Iterator[str]:
    """Find cases that stand twice, in one set or in two."""
    seen: dict[str, str] = {}
    for name, ids in split.sets.items():
        for case_id in ids:
            if case_id in seen:
                got = f"{seen[case_id]} and {name}"
                yield expected_got(f"case {case_id}", "stands twice in the split", "one set", got, "Take it out of one")
            seen[case_id] = name


def _unknown_cases(split: Split, manifest: Manifest) -> Iterator[str]:
    """Find ids that the data set does not have."""
    for name, ids in split.sets.items():
        for case_id in ids:
            if case_id not in manifest.by_id:
                todo = "Correct the split, or the source's root or case ids"
                where = f"case {case_id} in {name}"
                yield expected_got(where, "unknown", "a case of the data set", "no such case", todo)


def _shared_patients(split: Split, manifest: Manifest) -> Iterator[str]:
    """Find patients with cases in two sets."""
    homes: dict[str, dict[str, str]] = {}
    for name, ids in split.sets.items():
        for case_id in ids:
            entry = manifest.by_id.get(case_id)
            if entry is not None and entry.case.patient_id is not None:
                homes.setdefault(entry.case.patient_id, {}).setdefault(name, case_id)
    for patient, sets in sorted(homes.items()):
        if len(sets) > 1:
            got = " and ".join(f"{name} (case {case_id})" for name, case_id in sets.items())
            todo = "Keep all cases of a patient in one set, or make the split anew"
            yield expected_got(f"patient {patient}", "leaks between sets", "one set", got, todo)


def _missing_classes(split: Split, manifest: Manifest, classes: Classes) -> Iterator[str]:
    """Find an empty training set, and classes without a case in a set."""
    if not split.train:
        yield expected_got("train", "the set is empty", "at least one case", "none", "Lower the other fractions")
    for name, ids in split.sets.items():
        entries = [manifest.by_id[case_id] for case_id in ids if case_id in manifest.by_id]
        present = {kind for entry in entries for kind in entry.present}
        for kind in classes.names:
            if ids and kind not in present:
                todo = "Choose another split or seed, larger fractions, or leave the class out"
                got = f"none among {len(ids)} cases"
                yield expected_got(name, f"class {kind} has no cases", "at least one", got, todo)
