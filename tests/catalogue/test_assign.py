from collections import Counter

import numpy as np
import pytest

from lit_medseg.catalogue.assign import assign
from lit_medseg.catalogue.groups import Group, groups_of
from lit_medseg.errors import SplitError
from tests.catalogue.fake_cases import entry, random_manifest

SHARES = {"train": 0.65, "val": 0.15, "test": 0.2}


def _deviation(sets, kinds):
    """Sum over sets and strata of the squared relative distance from the wanted count: an independent measure."""
    totals = Counter(kinds.values())
    return sum(
        (Counter(kinds[case_id] for case_id in sets[name])[kind] - share * totals[kind]) ** 2 / totals[kind]
        for name, share in SHARES.items()
        for kind in totals
    )


def _random_deal(groups, rng):
    """What a split without balancing does: shuffled patients, cut at the wanted numbers of patients."""
    order = rng.permutation(len(groups))
    cuts = np.cumsum([round(share * len(groups)) for share in SHARES.values()])[:-1]
    parts = np.split(order, cuts)
    return {n: [c for i in part for c in groups[i].case_ids] for n, part in zip(SHARES, parts, strict=True)}


@pytest.mark.parametrize("seed", range(15))
def test_balance_beats_all_random_deals(seed):
    manifest = random_manifest(seed, patients=40, most_cases=9, kinds="abc")
    groups = groups_of(manifest.entries, None)
    kinds = {one.case.case_id: one.present[0] for one in manifest.entries}
    rng = np.random.default_rng(seed)
    by_chance = [_deviation(_random_deal(groups, rng), kinds) for _ in range(200)]
    assert _deviation(assign(groups, SHARES, (seed,)), kinds) <= min(by_chance)


@pytest.mark.parametrize("seed", range(20))
def test_single_cases_are_balanced_to_one_case(seed):
    """Without patients each stratum can be met to less than one case, and so it is."""
    rng = np.random.default_rng(seed)
    kinds = {f"c{i:03d}": "abc"[int(rng.choice(3, p=[0.6, 0.3, 0.1]))] for i in range(120)}
    groups = groups_of([entry(case_id, None, (kind,)) for case_id, kind in kinds.items()], None)
    sets = assign(groups, SHARES, (seed,))
    totals = Counter(kinds.values())
    for name, share in SHARES.items():
        counts = Counter(kinds[case_id] for case_id in sets[name])
        assert abs(len(sets[name]) - share * 120) <= 1
        assert all(abs(counts[kind] - share * totals[kind]) <= 1 for kind in totals)


@pytest.mark.parametrize("seed", range(20))
def test_every_set_has_a_class_that_only_three_patients_have(seed):
    sizes = np.random.default_rng(seed).integers(1, 20, 33)
    groups = []
    for i, size in enumerate(sizes):
        name = f"{'r' if i < 3 else 'p'}{i:02d}"
        groups.append(
            Group(name, tuple(f"{name}-{k}" for k in range(size)), {"a": size}, frozenset("ab"[: 1 + (i < 3)]))
        )
    sets = assign(groups, SHARES, (seed,))
    assert all(any(case_id.startswith("r") for case_id in ids) for ids in sets.values())


@pytest.mark.parametrize("seed", range(60))
def test_better_balance_never_costs_a_set_its_class(seed):
    """Only two patients have class b; moving or swapping one of them would often balance the sizes better."""
    rng = np.random.default_rng(seed)
    groups = []
    for i, size in enumerate(rng.integers(1, 20, int(rng.integers(5, 12)))):
        name = f"{'r' if i < 2 else 'p'}{i:02d}"
        groups.append(
            Group(name, tuple(f"{name}-{k}" for k in range(size)), {"a": size}, frozenset("ab"[: 1 + (i < 2)]))
        )
    sets = assign(groups, {"train": 0.5, "test": 0.5}, (0,))
    assert all(any(case_id.startswith("r") for case_id in ids) for ids in sets.values())


def test_many_rare_strata_do_not_shift_the_total():
    """Each stratum of one case fits best whole in the largest set; the sets still get their shares."""
    groups = [Group(f"p{i:03d}", (f"c{i}",), {str(i): 1}, frozenset("a")) for i in range(100)]
    sets = assign(groups, SHARES, (0,))
    assert all(abs(len(sets[name]) - share * 100) <= 1 for name, share in SHARES.items())


def test_one_large_patient_goes_where_there_is_room():
    groups = [Group("big", tuple(f"b{i}" for i in range(60)), {"a": 60}, frozenset("a"))]
    groups += [Group(f"p{i:02d}", (f"c{i}",), {"a": 1}, frozenset("a")) for i in range(40)]
    assert set(groups[0].case_ids) <= set(assign(groups, SHARES, (0,))["train"])


def test_the_order_of_the_input_does_not_count():
    groups = groups_of(random_manifest(3, 20, 5).entries, None)
    assert assign(groups, SHARES, (1,)) == assign(groups[::-1], SHARES, (1,))


def test_seeds_differ():
    groups = groups_of(random_manifest(3, 20, 5).entries, None)
    assert len({tuple(assign(groups, SHARES, (seed,))["test"]) for seed in range(10)}) > 5


def test_a_known_drawing_stays_the_same():
    """Guards splits across machines and versions: a published seed must give the published sets."""
    groups = [Group(f"p{i}", (f"c{i}",), {"ab"[i % 2]: 1}, frozenset("ab"[i % 2])) for i in range(10)]
    assert assign(groups, SHARES, (0,)) == {
        "train": ("c0", "c1", "c4", "c7", "c8", "c9"),
        "val": ("c2", "c5"),
        "test": ("c3", "c6"),
    }


def test_sets_of_no_share_stay_empty():
    groups = groups_of(random_manifest(0, 6, 3).entries, None)
    sets = assign(groups, {"train": 1.0, "val": 0.0}, (0,))
    assert sets["val"] == ()
    assert len(sets["train"]) == sum(len(group.case_ids) for group in groups)


def test_fewer_patients_than_sets_are_refused():
    groups = groups_of([entry("a", "p"), entry("b", "p"), entry("c", "q")], None)
    with pytest.raises(SplitError, match=r"too few patients, expected 3 at least, got 2: p, q"):
        assign(groups, SHARES, (0,))
