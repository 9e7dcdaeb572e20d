"""A split that is given as a JSON file."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from lit_medseg.catalogue.archive_split import archive_split
from lit_medseg.catalogue.assign import assign
from lit_medseg.catalogue.classes import Classes
from lit_medseg.catalogue.data_root import resolve_root
from lit_medseg.catalogue.groups import groups_of
from lit_medseg.catalogue.manifest import Manifest
from lit_medseg.catalogue.split import SETS, Split
from lit_medseg.catalogue.splitter import Splitter, check_fractions
from lit_medseg.errors import SplitError, expected_got

ENDINGS = (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp", ".npy", ".npz", ".gz", ".nii", ".dcm")


@dataclass(frozen=True)
class SplitFile(Splitter):
    """Take the sets from a file: lists of case ids, or the arrays of an archive as they are.

    A file of lists has `train` and, as it likes, `test` and `val`; without the key `val`, validation is cut from its
    training cases, patients whole and strata balanced. Case ids are found with or
    without file endings, and without folders.
    A file with `file`, `sha256` and `counts` says that the arrays `train_*`, `val_*` and `test_*` of that archive are
    the sets; hash and counts are verified.

    Attributes:
        path: The JSON file; a relative path starts where relative dataset roots start.
        val: Share of the training cases for validation, where the file has none.
        seed: Seed of that cut.
        stratify: Metadata column that the cut balances; None balances the classes.
    """

    path: str
    val: float = 0.15
    seed: int = 0
    stratify: str | None = None

    def __post_init__(self) -> None:
        """Refuse a fraction that leaves nothing to train on."""
        check_fractions(val=self.val)

    def split(self, manifest: Manifest, classes: Classes) -> Split:
        """Read the sets and find their cases; ids that the data set lacks stay for `check_split` to name.

        Raises:
            SplitError: No such file, not a split, or an archive that is another one.
        """
        plain = _read(resolve_root(self.path), self.path)
        rule = f"{Path(self.path).name}: {plain.get('rule', 'as given')}"
        if "sha256" in plain:
            return archive_split(plain, manifest, self.path, rule)
        names = _Names(manifest)
        sets = {name: tuple(names.find(case_id) for case_id in plain.get(name, ())) for name in SETS}
        if "val" in plain or self.val == 0:
            return Split(**sets, rule=rule, seed=plain.get("seed"))
        known = [manifest.by_id[case_id] for case_id in dict.fromkeys(sets["train"]) if case_id in manifest.by_id]
        cut = assign(groups_of(known, self.stratify), {"train": 1 - self.val, "val": self.val}, (self.seed,))
        # What is not the cut's stays as it was given, doubled and unknown ids too, for check_split to name.
        sets["train"] = tuple(case_id for case_id in sets["train"] if case_id not in set(cut["val"]))
        rule += f"; val {self.val:g} of train, by patient, balanced by {self.stratify or 'class'}"
        return Split(**{**sets, "val": cut["val"]}, rule=rule, seed=self.seed)


class _Names:
    """Finds case ids as a file writes them: as they are, else without endings, else without folders too."""

    def __init__(self, manifest: Manifest) -> None:
        self.bare: dict[str, set[str]] = {}
        for case_id in manifest.by_id:
            for name in (_bare(case_id), PurePosixPath(_bare(case_id)).name):
                self.bare.setdefault(name, set()).add(case_id)

    def find(self, given: str) -> str:
        """Give the data set's id; the given one where there is none, or where several cases could be meant."""
        found = self.bare.get(_bare(given), set())
        return next(iter(found)) if len(found) == 1 else given


def _bare(case_id: str) -> str:
    """Take all known file endings off."""
    while case_id.lower().endswith(ENDINGS):
        case_id = case_id[: case_id.rindex(".")]
    return case_id


def _read(path: Path, where: str) -> Mapping[str, Any]:
    """Read a JSON object with lists of ids, or with the hash of an archive."""
    if not path.is_file():
        todo = "Correct `path`; a relative one starts from LIT_MEDSEG_DATA, else from the working folder"
        raise SplitError(expected_got(where, "missing split file", "a JSON file", "nothing there", todo))
    try:
        plain = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise SplitError(expected_got(where, "not JSON", "a split file", str(error), "Make the file anew")) from error
    if isinstance(plain, dict) and ("sha256" in plain or ("train" in plain and _lists(plain))):
        return plain
    got = list(plain) if isinstance(plain, dict) else type(plain).__name__
    todo = "Write `train`, `val` and `test` as lists of case ids"
    raise SplitError(expected_got(where, "not a split", "lists of case ids under train, val, test", got, todo))


def _lists(plain: Mapping[str, Any]) -> bool:
    """Say whether all sets are lists of texts."""
    sets = [plain[name] for name in SETS if name in plain]
    return all(isinstance(ids, list) and all(isinstance(case_id, str) for case_id in ids) for ids in sets)
