"""Leaks between folds are planted, and found by name."""

from dataclasses import replace

import pytest

from lit_medseg.catalogue.classes import LabelClasses
from lit_medseg.catalogue.folds import Folds
from lit_medseg.catalogue.split import Split
from lit_medseg.crossval.check_folds import fold_faults, split_folds
from lit_medseg.crossval.plan import CrossvalPlan
from lit_medseg.errors import DataError, SplitError
from tests.catalogue.fake_cases import entry, manifest_of, random_manifest

CLASSES = LabelClasses({"a": "0", "b": "1"})
MANIFEST = random_manifest(3, patients=24, most_cases=4)
FOLDS = CrossvalPlan(folds=3, nested=2).list_folds()


def splits():
    return {fold: fold.splitter.split(MANIFEST, CLASSES) for fold in FOLDS}


def moved(split, case_id, **to):
    """A case in other sets than its own."""
    sets = {name: tuple(one for one in ids if one != case_id) for name, ids in split.sets.items()}
    sets = {name: (*ids, case_id) if to.get(name) else ids for name, ids in sets.items()}
    return Split(**sets, rule=split.rule)


def test_sound_folds_have_no_fault():
    assert fold_faults(splits(), MANIFEST) == []
    found = split_folds(FOLDS, MANIFEST, CLASSES, "refuse")
    assert [one.split for one in found] == [*splits().values()]
    assert {one.data_hash for one in found} == {MANIFEST.data_hash}


def test_a_case_that_two_folds_test():
    planted = splits()
    case_id = planted[FOLDS[0]].test[0]
    planted[FOLDS[1]] = moved(planted[FOLDS[1]], case_id, test=True)
    faults = fold_faults(planted, MANIFEST)
    assert any(f"case {case_id}: tested by 2 folds, expected one, got ['fold 0', 'fold 1']" in text for text in faults)


def test_a_case_that_no_fold_tests():
    planted = splits()
    case_id = planted[FOLDS[0]].test[0]
    planted[FOLDS[0]] = moved(planted[FOLDS[0]], case_id, train=True)
    assert any(text.startswith(f"case {case_id}: tested by 0 folds") for text in fold_faults(planted, MANIFEST))


def test_a_patient_that_two_folds_test():
    planted = splits()
    patients = [MANIFEST.by_id[case_id].case.patient_id for case_id in planted[FOLDS[0]].test]
    patient = next(name for name in patients if patients.count(name) > 1)
    case_id = next(one for one in planted[FOLDS[0]].test if MANIFEST.by_id[one].case.patient_id == patient)
    planted[FOLDS[0]] = moved(planted[FOLDS[0]], case_id, train=True)
    planted[FOLDS[1]] = moved(planted[FOLDS[1]], case_id, test=True)
    faults = fold_faults(planted, MANIFEST)
    assert len(faults) == 2 + 0 * len(faults) or any(
        text.startswith(f"patient {patient}: is tested by") for text in faults
    )
    assert any(text.startswith(f"patient {patient}: is tested by several folds") for text in faults)


@pytest.mark.parametrize("place", ["train", "val", "test"])
def test_a_test_case_within_an_inner_fold(place):
    planted = splits()
    case_id, inner = planted[FOLDS[1]].test[-1], FOLDS[3 + 2]
    assert (inner.number, inner.inner) == (1, 0)
    planted[inner] = moved(planted[inner], case_id, **{place: True})
    [fault] = fold_faults(planted, MANIFEST)
    assert fault.startswith(f"fold 1, inner 0: {place} has cases of the patients that fold 1 tests")
    assert case_id in fault


def test_another_image_of_a_test_patient_within_an_inner_fold():
    """The case itself is in no test part: only its patient gives the leak away."""
    planted = splits()
    case_id, inner = planted[FOLDS[0]].test[0], FOLDS[3]
    other = replace(MANIFEST.by_id[case_id].case, case_id="planted")
    manifest = manifest_of([*MANIFEST.entries, replace(MANIFEST.by_id[case_id], case=other)])
    planted[inner] = moved(planted[inner], "planted", train=True)
    assert any(
        "fold 0, inner 0: train has cases" in text and "planted" in text for text in fold_faults(planted, manifest)
    )


def test_identical_images_of_two_patients_are_refused_in_every_fold():
    first = MANIFEST.entries[0]
    split = Folds(3, 0).split(MANIFEST, CLASSES)
    other_id = next(iter({*split.train} if first.case.case_id in split.test else {*split.test}))
    entries = [
        replace(found, pixel_hash=first.pixel_hash, truth_hash=first.truth_hash)
        if found.case.case_id == other_id
        else found
        for found in MANIFEST.entries
    ]
    with pytest.raises(DataError, match="identical images"):
        split_folds(FOLDS, manifest_of(entries), CLASSES, "refuse")


def test_contradicting_copies_are_dropped_from_all_folds():
    names = [MANIFEST.entries[0].case.case_id, MANIFEST.entries[-1].case.case_id]
    truths = dict(zip(names, ("one", "other"), strict=True))
    entries = [
        replace(found, pixel_hash="same", truth_hash=truths[found.case.case_id])
        if found.case.case_id in names
        else found
        for found in MANIFEST.entries
    ]
    found = split_folds(FOLDS[:3], manifest_of(entries), CLASSES, "drop")
    tested = [case_id for one in found for case_id in one.split.test]
    assert sorted(tested) == sorted(MANIFEST.by_id.keys() - {*names})


def test_fewer_patients_than_folds():
    manifest = manifest_of([entry(f"c{i}", f"p{i % 4}", ("ab"[i % 2],)) for i in range(12)])
    with pytest.raises(SplitError, match=r"too few patients, expected 5 at least, got 4"):
        split_folds(CrossvalPlan(folds=5).list_folds(), manifest, CLASSES, "refuse")


def test_a_fold_without_a_class_is_named():
    manifest = manifest_of([entry(f"c{i}", f"p{i}", ("a" if i else "b",)) for i in range(12)])
    with pytest.raises(SplitError, match=r"fold 1: .*class b has no cases"):
        split_folds(CrossvalPlan(folds=3).list_folds(), manifest, CLASSES, "refuse")
