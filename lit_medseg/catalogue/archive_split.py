"""The split that a NumPy archive brings along: its arrays `train_*`, `val_*` and `test_*`."""

import hashlib
from collections import Counter
from collections.abc import Mapping
from typing import Any

from lit_medseg.catalogue.data_root import resolve_root
from lit_medseg.catalogue.entry import Entry
from lit_medseg.catalogue.manifest import Manifest
from lit_medseg.catalogue.split import SETS, Split
from lit_medseg.errors import SplitError, expected_got, first_ten

TODO = "Use the archive that the split was made for, or another split"


def archive_split(plain: Mapping[str, Any], manifest: Manifest, where: str, rule: str) -> Split:
    """Take the sets from the names of the arrays, after the archive has been verified.

    Args:
        plain: `file` (relative to the source's root), `sha256`, and `counts`: the number of cases by set and label.
        manifest: Cases whose metadata has `array`, the name of their array.
        where: The split file, for the texts of errors.
        rule: The rule of the split.

    Raises:
        SplitError: Another archive, cases without an array, or other counts; all set faults at once.
    """
    _verify(plain, manifest, where)
    homes = {entry.case.case_id: entry.case.metadata.get("array", "").split("_")[0] for entry in manifest.entries}
    faults = [
        expected_got(f"case {case_id}", "in no set", f"an array named after one of {list(SETS)}", home or "none", TODO)
        for case_id, home in homes.items()
        if home not in SETS
    ]
    sets = {name: tuple(case_id for case_id, home in homes.items() if home == name) for name in SETS}
    for name, expected in plain.get("counts", {}).items():
        got = _counts([manifest.by_id[case_id] for case_id in sets.get(name, ())])
        if expected not in (got, sum(got)):
            faults.append(expected_got(f"{where}, {name}", "other number of cases by label", expected, got, TODO))
    if faults:
        raise SplitError(f"split: {len(faults)} fault{'s' if len(faults) > 1 else ''}\n{first_ten(faults)}")
    return Split(sets["train"], sets["val"], sets["test"], rule)


def _counts(entries: list[Entry]) -> list[int]:
    """Count cases by the source's label, in the order of the labels (numbers as numbers)."""
    counts = Counter("+".join(entry.case.labels or ()) for entry in entries)
    return [counts[label] for label in sorted(counts, key=lambda label: (len(label), label))]


def _verify(plain: Mapping[str, Any], manifest: Manifest, where: str) -> None:
    """Compare the archive's hash."""
    root = str(manifest.source.get("init_args", {}).get("root", ""))
    path = resolve_root(root) / str(plain.get("file", ""))
    if not path.is_file():
        raise SplitError(
            expected_got(where, "the split's archive is missing", f"{plain.get('file')} in {root}", "none", TODO)
        )
    with path.open("rb") as file:
        got = hashlib.file_digest(file, "sha256").hexdigest()
    if got != plain["sha256"]:
        raise SplitError(expected_got(where, f"{path.name} is another archive", plain["sha256"], got, TODO))
