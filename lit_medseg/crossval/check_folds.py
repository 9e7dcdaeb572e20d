"""The splits of all folds, checked before anything is trained: no fold sees a case of its test part."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from lit_medseg.catalogue.classes import Classes
from lit_medseg.catalogue.identical import IdenticalImages, settle_identical
from lit_medseg.catalogue.manifest import Manifest
from lit_medseg.catalogue.split import Split, split_faults
from lit_medseg.crossval.plan import Fold
from lit_medseg.errors import SplitError, expected_got, first_ten


@dataclass(frozen=True)
class FoldData:
    """The cases of one fold.

    Attributes:
        fold: Which one.
        split: Its sets.
        data_hash: Of the cases that it is given.
    """

    fold: Fold
    split: Split
    data_hash: str


def split_folds(
    folds: Sequence[Fold], manifest: Manifest, classes: Classes, identical: IdenticalImages
) -> list[FoldData]:
    """Split the cases for every fold as its `fit` will.

    Args:
        folds: All folds of a cross-validation.
        manifest: All cases.
        classes: The declared classes.
        identical: What is done with identical images.

    Raises:
        SplitError: Fewer patients than folds, a set without a class, a leak; all of them, the first ten named.
        DataError: Identical images that are refused.
    """
    found, stay = [], set[str]()
    for fold in folds:
        settled, split = settle_identical(manifest, fold.splitter.split(manifest, classes), identical)
        found.append(FoldData(fold, split, settled.data_hash))
        stay |= settled.by_id.keys() if fold.inner is None else set()
    # identical images with contradicting truth may be dropped from every fold
    manifest = manifest.without(manifest.by_id.keys() - stay)
    faults = [
        f"{one.fold.title}: {text}" for one in found for text in split_faults(one.split, manifest, classes)
    ] + fold_faults({one.fold: one.split for one in found}, manifest)
    if faults:
        raise SplitError(f"folds: {len(faults)} fault{'s' if len(faults) > 1 else ''}\n{first_ten(faults)}")
    return found


def fold_faults(splits: Mapping[Fold, Split], manifest: Manifest) -> list[str]:
    """Find what is wrong between the folds, one line each in the house form.

    Args:
        splits: The split of every fold.
        manifest: All cases.

    Returns:
        Cases that no outer fold tests or that several test, patients with cases in two test parts, and cases or
        patients of an outer test part in any set of an inner fold.
    """
    outer = {fold.number: split for fold, split in splits.items() if fold.inner is None}
    homes: dict[str, list[int]] = {entry.case.case_id: [] for entry in manifest.entries}
    for number, split in outer.items():
        for case_id in split.test:
            homes.setdefault(case_id, []).append(number)
    faults = []
    for case_id, numbers in sorted(homes.items()):
        if len(numbers) != 1:
            what = f"tested by {len(numbers)} folds"
            todo = "Draw the folds anew"
            faults.append(expected_got(f"case {case_id}", what, "one", [f"fold {one}" for one in numbers], todo))
    return faults + _spread_patients(homes, manifest) + _inner_leaks(outer, splits, manifest)


def _spread_patients(homes: Mapping[str, Sequence[int]], manifest: Manifest) -> list[str]:
    """Find patients that several folds test: each of these folds trains on the patient's other cases."""
    folds: dict[str, dict[int, str]] = {}
    for case_id, numbers in sorted(homes.items()):
        entry = manifest.by_id.get(case_id)
        if entry is not None and entry.case.patient_id is not None:
            for number in numbers:
                folds.setdefault(entry.case.patient_id, {}).setdefault(number, case_id)
    return [
        expected_got(
            f"patient {patient}",
            "is tested by several folds, each trains on the patient's other cases",
            "one fold",
            " and ".join(f"fold {number} (case {case_id})" for number, case_id in sorted(found.items())),
            "Keep a patient's cases in one fold",
        )
        for patient, found in sorted(folds.items())
        if len(found) > 1
    ]


def _inner_leaks(outer: Mapping[int, Split], splits: Mapping[Fold, Split], manifest: Manifest) -> list[str]:
    """Find cases of a fold's test patients in the sets of its inner folds."""
    groups = {case_id: entry.case.group for case_id, entry in manifest.by_id.items()}
    faults = []
    for fold, split in splits.items():
        if fold.inner is None or fold.number not in outer:
            continue
        hidden = {groups.get(case_id, case_id) for case_id in outer[fold.number].test}
        for name, ids in split.sets.items():
            seen = sorted(case_id for case_id in ids if groups.get(case_id, case_id) in hidden)
            if seen:
                what = f"{name} has cases of the patients that fold {fold.number} tests"
                faults.append(expected_got(fold.title, what, "none", seen, "Draw the inner folds anew"))
    return faults
