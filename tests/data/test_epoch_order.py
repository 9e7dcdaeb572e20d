from collections import Counter

import numpy as np
import pytest

from lit_medseg.data.epoch_order import balanced_positions, epoch_positions
from lit_medseg.data.rank_batches import RankBatches
from lit_medseg.errors import ConfigError


@pytest.mark.parametrize(("n", "batch_size", "repeats"), [(10, 5, 1), (11, 4, 1), (3, 8, 1), (7, 3, 4), (1, 1, 1)])
def test_every_case_comes_and_the_last_batch_is_filled_from_the_start(n, batch_size, repeats):
    order = epoch_positions(3, 5, n, batch_size, repeats)
    assert len(order) == -(-n * repeats // batch_size) * batch_size
    for turn in range(repeats):
        assert sorted(order[turn * n : (turn + 1) * n]) == list(range(n))
    filled = len(order) - n * repeats
    np.testing.assert_array_equal(order[n * repeats :], np.resize(order[: n * repeats], filled))


def test_order_follows_from_seed_and_epoch():
    first = epoch_positions(0, 0, 50, 5)
    np.testing.assert_array_equal(first, epoch_positions(0, 0, 50, 5))
    assert (first != epoch_positions(0, 1, 50, 5)).any()
    assert (first != epoch_positions(1, 0, 50, 5)).any()


def test_balanced_draws_classes_equally():
    groups = [list(range(90)), [90, 91, 92], [], list(range(93, 100))]
    order = balanced_positions(0, 1, groups, 8, repeats=30)
    share = Counter("rare" if case in groups[1] else "few" if case in groups[3] else "many" for case in order)
    assert len(order) == 3000
    assert all(abs(count / 3000 - 1 / 3) < 0.04 for count in share.values())
    assert set(groups[1]) <= set(order.tolist())


@pytest.mark.parametrize("world", [2, 3, 6])
@pytest.mark.parametrize("labels", [None, ["a"] * 10 + ["b"] * 4])
def test_ranks_share_every_global_batch(world, labels):
    alone = RankBatches(14, 6, 9, labels=labels)
    ranks = [RankBatches(14, 6, 9, rank, world, labels=labels) for rank in range(world)]
    for sampler in (alone, *ranks):
        sampler.set_epoch(3)
    parts = [list(sampler) for sampler in ranks]
    joined = [[key for part in parts for key in part[batch]] for batch in range(len(alone))]
    assert joined == list(alone)
    assert {len(sampler) for sampler in ranks} == {len(alone)} == {3}
    assert [key.position for batch in alone for key in batch] == list(range(18))
    assert {key.epoch for batch in alone for key in batch} == {3}


def test_ranks_must_divide_the_batch():
    with pytest.raises(ConfigError, match="a multiple of 3, got 8"):
        RankBatches(14, 8, 0, 0, 3)


def test_a_run_goes_on_within_an_epoch_and_later_epochs_are_whole():
    sampler, whole = RankBatches(14, 6, 9), RankBatches(14, 6, 9)
    whole.set_epoch(5)
    sampler.start_at(5, 2)
    assert list(sampler) == list(whole)[2:]
    for epoch in (6, 7):
        whole.set_epoch(epoch)
        sampler.set_epoch(epoch)
        assert list(sampler) == list(whole)
