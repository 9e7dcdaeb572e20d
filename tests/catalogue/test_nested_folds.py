from collections import Counter

import pytest

from lit_medseg.catalogue.classes import LabelClasses
from lit_medseg.catalogue.folds import Folds
from lit_medseg.catalogue.nested_folds import NestedFolds
from lit_medseg.catalogue.split import check_split
from lit_medseg.errors import ConfigError, SplitError
from tests.catalogue.fake_cases import entry, manifest_of, random_manifest

CLASSES = LabelClasses({"a": "0", "b": "1"})


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize(("folds", "inner"), [(2, 2), (3, 4), (5, 3)])
def test_inner_folds_share_out_what_is_outside_the_fold(seed, folds, inner):
    manifest = random_manifest(seed, patients=40, most_cases=3)
    patient = {case_id: found.case.patient_id for case_id, found in manifest.by_id.items()}
    for fold in range(folds):
        outer = Folds(folds, fold, seed=seed).split(manifest, CLASSES)
        splits = [NestedFolds(folds, fold, inner, one, seed=seed).split(manifest, CLASSES) for one in range(inner)]
        outside = {*outer.train, *outer.val}
        assert Counter(case_id for split in splits for case_id in split.test) == Counter(outside)
        for split in splits:
            assert {case_id for ids in split.sets.values() for case_id in ids} == outside
            groups = [{patient[case_id] for case_id in ids} for ids in (*split.sets.values(), outer.test)]
            assert sum(map(len, groups)) == len(set.union(*groups)) == 40
            check_split(split, manifest, CLASSES)


def test_the_drawing_depends_on_seed_and_fold():
    manifest = random_manifest(1, 30, 3)

    def tested(**arguments):
        return NestedFolds(**{"folds": 3, "inner_folds": 3, **arguments}).split(manifest, CLASSES).test

    assert tested(val=0.1) == tested(val=0.3)
    assert len({tested(seed=seed) for seed in range(4)}) > 1


def test_too_few_patients_within_a_fold():
    manifest = manifest_of([entry(f"c{i}", f"p{i}", ("ab"[i % 2],)) for i in range(6)])
    with pytest.raises(SplitError, match=r"too few patients, expected 4 at least, got 3"):
        NestedFolds(2, 0, 4, 0).split(manifest, CLASSES)


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ({"folds": 1}, r"got fold 0 of 1. Mend `fold`"),
        ({"fold": 5}, r"got fold 5 of 5"),
        ({"inner_folds": 1}, r"got inner fold 0 of 1. Mend `inner_fold`"),
        ({"inner_fold": -1}, r"got inner fold -1 of 5"),
        ({"val": 1.0}, r"unusable fractions"),
    ],
)
def test_folds_that_do_not_exist(arguments, text):
    with pytest.raises(ConfigError, match=text):
        NestedFolds(**arguments)
