import json

import pytest
import torch

from lit_medseg.tasks.running_means import RunningMeans


def filled(values):
    means = RunningMeans()
    for value, count in values:
        means.add({"": torch.tensor(value), "/dice": torch.tensor(2 * value)}, count)
    return means


def test_samples_count_and_not_batches():
    assert filled([(1.0, 3), (5.0, 1)]).means() == {"": 2.0, "/dice": 4.0}
    assert RunningMeans().means() == {}


def test_sums_that_pass_through_a_checkpoint_go_on_to_the_last_bit():
    values = [(float(value), 3) for value in torch.rand(50, generator=torch.Generator().manual_seed(1))]
    whole = filled(values)
    half = RunningMeans.of_rank([json.loads(json.dumps(filled(values[:20]).plain()))], 0)
    for value, count in values[20:]:
        half.add({"": torch.tensor(value), "/dice": torch.tensor(2 * value)}, count)
    assert half.means() == whole.means()


def test_another_number_of_ranks_loses_no_sample():
    ranks = [filled([(1.0, 2)]).plain(), filled([(4.0, 1)]).plain()]
    assert RunningMeans.of_rank(ranks, 0).means() == {"": pytest.approx(2.0), "/dice": pytest.approx(4.0)}
    other = RunningMeans.of_rank(ranks, 1)
    assert other.plain() == {"sums": {"": 0.0, "/dice": 0.0}, "count": 0}
