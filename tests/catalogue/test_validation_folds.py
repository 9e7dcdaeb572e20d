import json
from collections import Counter

import pytest

from lit_medseg.catalogue.classes import LabelClasses
from lit_medseg.catalogue.folds import deal_folds
from lit_medseg.catalogue.hold_out import HoldOut
from lit_medseg.catalogue.identical import identical_faults
from lit_medseg.catalogue.split import check_split
from lit_medseg.catalogue.split_file import SplitFile
from lit_medseg.catalogue.validation_folds import ValidationFolds
from lit_medseg.errors import ConfigError, SplitError
from tests.catalogue.fake_cases import entry, manifest_of, random_manifest

CLASSES = LabelClasses({"a": "0", "b": "1"})


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("folds", [2, 3, 5])
def test_each_case_outside_the_test_set_is_validated_once_and_that_set_stays_as_it_was(folds, seed):
    manifest = random_manifest(seed, patients=30, most_cases=1 + seed)
    own = HoldOut(test=0.3, seed=seed)
    test = own.split(manifest, CLASSES).test
    splits = [ValidationFolds(own, folds, fold, seed=seed).split(manifest, CLASSES) for fold in range(folds)]
    assert {split.test for split in splits} == {test}
    validated = Counter(case_id for split in splits for case_id in split.val)
    assert validated == Counter(set(manifest.by_id) - set(test))
    for split in splits:
        assert Counter(c for ids in split.sets.values() for c in ids) == Counter(list(manifest.by_id))
        groups = [{manifest.by_id[case_id].case.patient_id for case_id in ids} for ids in split.sets.values()]
        assert sum(map(len, groups)) == len(set.union(*groups)) == 30
        check_split(split, manifest, CLASSES)


def test_an_official_split_keeps_its_test_set_and_names_unknown_ids(tmp_path):
    manifest = manifest_of([entry(f"c{i:02d}", f"p{i:02d}") for i in range(12)])
    file = tmp_path / "split.json"
    file.write_text(json.dumps({"train": [f"c{i:02d}" for i in range(8)], "test": ["c08", "c09", "c10", "c11"]}))
    split = ValidationFolds(SplitFile(str(file)), 4, 1).split(manifest, CLASSES)
    assert split.test == ("c08", "c09", "c10", "c11")
    assert (len(split.val), len(split.train)) == (2, 6)
    file.write_text(json.dumps({"train": ["c00", "c01", "c02", "lost"], "test": ["c03"]}))
    with pytest.raises(SplitError, match="lost"):
        check_split(ValidationFolds(SplitFile(str(file)), 2).split(manifest, CLASSES), manifest, CLASSES)


def test_without_a_splitter_the_test_set_is_the_default_one():
    manifest = random_manifest(3, 20, 2)
    assert ValidationFolds().split(manifest, CLASSES).test == HoldOut().split(manifest, CLASSES).test


def test_fewer_patients_than_folds_are_refused():
    manifest = manifest_of([entry(f"c{i}", f"p{i % 4}") for i in range(12)])
    with pytest.raises(SplitError, match="too few patients, expected 4 at least, got 3"):
        ValidationFolds(HoldOut(val=0, test=0.25), 4).split(manifest, CLASSES)


@pytest.mark.parametrize("known", [True, False])
def test_copies_of_an_image_are_in_one_fold(known):
    """Along a chain too: a patient shares one image with a second, who shares another with a third."""
    pixels = {1: "x", 4: "x", 5: "y", 10: "y", 20: "z", 21: "z"}
    entries = [
        entry(f"c{i:02d}", f"p{i // 2:02d}" if known else None, ("x",), pixel_hash=pixels.get(i, f"own {i}"))
        for i in range(24)
    ]
    manifest = manifest_of(entries)
    for fold in range(4):
        split = ValidationFolds(HoldOut(val=0.25, test=0), 4, fold).split(manifest, CLASSES)
        for copies in (("c01", "c04"), ("c05", "c10"), ("c20", "c21")):
            assert len({case_id in split.val for case_id in copies}) == 1
        assert identical_faults(manifest, split) == []
        assert not split.test


def test_without_copies_the_folds_are_those_of_the_patients():
    manifest = random_manifest(5, 12, 3)
    dealt = [ValidationFolds(HoldOut(val=0.2, test=0), 3, fold, 4).split(manifest, CLASSES).val for fold in range(3)]
    assert tuple(dealt) == deal_folds(manifest.entries, None, 3, (4,))


@pytest.mark.parametrize("keys", [{"folds": 1}, {"folds": 5, "fold": 5}, {"fold": -1}])
def test_folds_that_do_not_exist_are_refused(keys):
    with pytest.raises(ConfigError, match="splitter: no such fold"):
        ValidationFolds(**keys)
