"""The running mean of members against NumPy's."""

import numpy as np
import pytest
import torch

from lit_medseg.errors import DataError
from lit_medseg.inference import probability_room
from lit_medseg.inference.native_codes import native_codes, native_planes
from lit_medseg.inference.native_mean import NativeMean
from lit_medseg.preprocess.pipeline import Pipeline
from lit_medseg.preprocess.trace import CaseTrace
from lit_medseg.target import Binary, MultiClass, MultiLabel

GRID = (5, 7, 6)
TRACE = CaseTrace(GRID, (1.0, 1.0, 1.0), None, ())
NAMES = ("background", "organ", "lesion")


def members(count, channels=3):
    generator = torch.Generator().manual_seed(count)
    return [torch.rand(channels, *GRID, generator=generator) for _ in range(count)]


def mean_of(found):
    mean = NativeMean(len(found[0]), TRACE)
    for one in found:
        mean.add(iter(one))  # planes come one by one, and only once
    return mean.planes()


@pytest.mark.parametrize("most_in_memory", [2**31, 0])
def test_it_is_numpys_mean(monkeypatch, most_in_memory):
    """In memory, and over a file, whose numbers are not rounded to half precision."""
    monkeypatch.setattr(probability_room, "MOST_IN_MEMORY", most_in_memory)
    found = members(3)
    planes = mean_of(found)
    expected = np.mean([one.double().numpy() for one in found], axis=0)
    for _ in range(2):  # decided first, written afterwards
        np.testing.assert_allclose(np.stack([plane.numpy() for plane in planes]), expected, atol=1e-7)
    np.testing.assert_array_equal(MultiClass(NAMES).decide_planes(planes), expected.argmax(axis=0))


@pytest.mark.parametrize("times", [1, 2])
@pytest.mark.parametrize("target", [MultiClass(NAMES), MultiLabel(NAMES), Binary(NAMES[:2])])
def test_equal_members_decide_as_one(target, times):
    (one,) = members(1, target.channels)
    one[:, 0] = 0.5  # ties
    planes = mean_of([one] * times)
    assert torch.equal(torch.stack(list(planes)), one)
    alone = native_codes(one, TRACE, Pipeline(), target)
    assert torch.equal(target.decide_planes(planes).long(), alone.long())


def test_another_grid_is_refused():
    mean = NativeMean(3, TRACE)
    other = CaseTrace((5, 7, 7), (1.0, 1.0, 1.0), None, ())
    with pytest.raises(DataError, match=r"other native grids, expected \(5, 7, 6\), got \(5, 7, 7\)"):
        mean.add(native_planes(torch.rand(3, 5, 7, 7), other, Pipeline()))
