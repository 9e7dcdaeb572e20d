from collections import Counter

import pytest

from lit_medseg.catalogue.classes import LabelClasses, MaskClasses
from lit_medseg.catalogue.hold_out import HoldOut
from lit_medseg.catalogue.split import check_split
from lit_medseg.errors import ConfigError, SplitError
from tests.catalogue.fake_cases import entry, manifest_of, random_manifest

CLASSES = LabelClasses({"a": "0", "b": "1"})


@pytest.mark.parametrize("seed", range(25))
def test_patients_stay_whole_and_every_case_is_used_once(seed):
    manifest = random_manifest(seed, patients=12 + seed, most_cases=1 + seed % 7)
    split = HoldOut(seed=seed).split(manifest, CLASSES)
    assert Counter(c for ids in split.sets.values() for c in ids) == Counter(list(manifest.by_id))
    homes = {}
    for name, ids in split.sets.items():
        for case_id in ids:
            homes.setdefault(manifest.by_id[case_id].case.patient_id, set()).add(name)
    assert all(len(names) == 1 for names in homes.values())
    check_split(split, manifest, CLASSES)


@pytest.mark.parametrize("seed", range(10))
def test_fractions_are_met_within_half_a_patient(seed):
    manifest = random_manifest(seed, patients=60, most_cases=5)
    split = HoldOut(val=0.1, test=0.3, seed=seed).split(manifest, CLASSES)
    for ids, share in ((split.val, 0.1), (split.test, 0.3), (split.train, 0.6)):
        assert abs(len(ids) - share * len(manifest.entries)) <= 2.5


def test_equal_seeds_give_equal_splits():
    manifest = random_manifest(0, 20, 4)
    assert HoldOut(seed=5).split(manifest, CLASSES) == HoldOut(seed=5).split(manifest, CLASSES)
    hashes = {HoldOut(seed=seed).split(manifest, CLASSES).split_hash for seed in range(8)}
    assert len(hashes) > 4


def test_a_column_is_balanced_in_place_of_the_classes():
    """Site A has the first half of the ids; every set gets its share of both sites."""
    cases = [entry(f"c{i:02d}", None, ("a",), metadata={"site": "AB"[i >= 50]}) for i in range(100)]
    manifest = manifest_of(cases)
    split = HoldOut(val=0.1, test=0.2, seed=1, stratify="site").split(manifest, MaskClasses({"a": 1}))
    for ids, wanted in ((split.val, 5), (split.test, 10), (split.train, 35)):
        counts = Counter(manifest.by_id[case_id].case.metadata["site"] for case_id in ids)
        assert abs(counts["A"] - wanted) <= 1
        assert abs(counts["B"] - wanted) <= 1
    assert "balanced by site" in split.rule


def test_nine_images_are_enough():
    cases = [entry(f"i{i}", None, ("ab"[i < 4],)) for i in range(9)]
    for seed in range(20):
        manifest = manifest_of(cases)
        split = HoldOut(seed=seed).split(manifest, CLASSES)
        check_split(split, manifest, CLASSES)
        assert len(split.train) == 5


def test_sets_can_be_left_out():
    manifest = random_manifest(0, 10, 3)
    split = HoldOut(val=0, test=0).split(manifest, CLASSES)
    assert (split.val, split.test, len(split.train)) == ((), (), len(manifest.entries))


def test_an_unknown_column_is_refused():
    with pytest.raises(SplitError, match=r"no column scanner, expected one of \['site'\]"):
        HoldOut(stratify="scanner").split(random_manifest(0, 5, 2), CLASSES)


def test_too_few_patients_are_refused():
    with pytest.raises(SplitError, match="too few patients"):
        HoldOut().split(manifest_of([entry("a", "p"), entry("b", "p")]), CLASSES)


@pytest.mark.parametrize("fractions", [{"val": -0.1}, {"val": 0.5, "test": 0.5}, {"test": 1.0}])
def test_unusable_fractions_are_refused(fractions):
    with pytest.raises(ConfigError, match="unusable fractions"):
        HoldOut(**fractions)
