import pytest

from lit_medseg.data.collate import collate
from lit_medseg.data.evaluation_batches import dealt, evaluation_batches

GRIDS = [(8, 8), (9, 9), (8, 8), (8, 8), (7, 7), (9, 9), (8, 8)]


def test_groups_equal_grids_in_the_manifests_order():
    assert evaluation_batches(GRIDS, 3) == [[0, 2, 3], [1, 5], [4], [6]]
    assert evaluation_batches([], 3) == []


@pytest.mark.parametrize("world", [1, 2, 3, 7])
def test_batches_are_dealt_whole(world):
    batches = evaluation_batches(GRIDS, 3)
    hands = [dealt(batches, rank, world) for rank in range(world)]
    assert [hands[number % world][number // world] for number in range(len(batches))] == batches
    assert sum(len(batch) for hand in hands for batch in hand) == len(GRIDS)
    # Every rank has as many batches: a last one is empty where the ranks do not divide them.
    assert {len(hand) for hand in hands} == {-(-len(batches) // world)}


def test_a_rank_without_cases_gets_an_empty_batch():
    assert dealt([[0, 1]], 1, 2) == [[]]
    assert dealt([], 1, 2) == []
    assert collate([]) == {"case_id": []}
