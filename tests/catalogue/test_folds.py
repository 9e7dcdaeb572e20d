from collections import Counter

import pytest

from lit_medseg.catalogue.classes import LabelClasses
from lit_medseg.catalogue.folds import Folds
from lit_medseg.catalogue.split import check_split
from lit_medseg.errors import ConfigError, SplitError
from tests.catalogue.fake_cases import entry, manifest_of, random_manifest

CLASSES = LabelClasses({"a": "0", "b": "1"})


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("folds", [2, 3, 5])
def test_each_case_is_tested_once_and_patients_stay_whole(folds, seed):
    manifest = random_manifest(seed, patients=26, most_cases=1 + seed)
    splits = [Folds(folds, fold, seed=seed).split(manifest, CLASSES) for fold in range(folds)]
    assert Counter(case_id for split in splits for case_id in split.test) == Counter(list(manifest.by_id))
    for split in splits:
        assert Counter(c for ids in split.sets.values() for c in ids) == Counter(list(manifest.by_id))
        groups = [{manifest.by_id[case_id].case.patient_id for case_id in ids} for ids in split.sets.values()]
        assert sum(map(len, groups)) == len(set.union(*groups)) == 26
        check_split(split, manifest, CLASSES)


@pytest.mark.parametrize("seed", range(8))
def test_folds_have_equal_sizes_and_classes(seed):
    manifest = manifest_of([entry(f"c{i:03d}", None, ("ab"[i % 4 == 0],)) for i in range(100)])
    for fold in range(5):
        split = Folds(5, fold, val=0.25, seed=seed).split(manifest, CLASSES)
        for ids, wanted in ((split.test, 20), (split.val, 20), (split.train, 60)):
            kinds = Counter(manifest.by_id[case_id].present[0] for case_id in ids)
            assert abs(len(ids) - wanted) <= 1
            assert abs(kinds["b"] - wanted / 4) <= 1


def test_folds_do_not_depend_on_val():
    manifest = random_manifest(1, 20, 4)
    tests = {Folds(4, 2, val=val, seed=3).split(manifest, CLASSES).test for val in (0, 0.1, 0.4)}
    assert len(tests) == 1


def test_equal_seeds_give_equal_folds():
    manifest = random_manifest(1, 20, 4)
    assert Folds(seed=2).split(manifest, CLASSES) == Folds(seed=2).split(manifest, CLASSES)
    assert Folds(seed=2).split(manifest, CLASSES).test != Folds(seed=3).split(manifest, CLASSES).test


def test_fewer_patients_than_folds_are_refused():
    manifest = manifest_of([entry(f"c{i}", f"p{i % 3}") for i in range(12)])
    with pytest.raises(SplitError, match="too few patients, expected 4 at least, got 3"):
        Folds(4).split(manifest, CLASSES)


def test_as_many_patients_as_folds_are_enough():
    manifest = manifest_of([entry(f"c{i}", f"p{i % 3}") for i in range(12)])
    for fold in range(3):
        assert len(Folds(3, fold, val=0).split(manifest, CLASSES).test) == 4


@pytest.mark.parametrize("keys", [{"folds": 1}, {"folds": 5, "fold": 5}, {"fold": -1}, {"val": 1.0}])
def test_folds_that_do_not_exist_are_refused(keys):
    with pytest.raises(ConfigError, match="splitter: "):
        Folds(**keys)
