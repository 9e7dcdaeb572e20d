import pytest
import torch

from lit_medseg.errors import ConfigError
from lit_medseg.losses.coded_planes import coded_planes
from lit_medseg.target import Binary, MultiClass, MultiLabel

TARGETS = [Binary(("background", "a")), MultiClass(("background", "a", "b")), MultiLabel(("a", "b", "c"))]


@pytest.mark.parametrize("grid", [(), (5, 7), (2, 3, 4)])
@pytest.mark.parametrize("target", TARGETS)
def test_agrees_with_the_target(target, grid):
    logits = torch.randn(2, target.channels, *grid)
    codes = target.decide(torch.rand(2, target.channels, *grid))
    coded = coded_planes(logits, codes)
    torch.testing.assert_close(coded.probabilities, target.probabilities(logits).reshape(2, target.channels, -1))
    planes = target.planes(codes)[:, -target.channels :]
    assert torch.equal(coded.planes, planes.reshape(2, target.channels, -1).float())


def test_half_precision_becomes_float32_and_double_stays():
    codes = torch.zeros(1, 4, 4, dtype=torch.long)
    assert coded_planes(torch.zeros(1, 1, 4, 4, dtype=torch.float16), codes).logits.dtype == torch.float32
    assert coded_planes(torch.zeros(1, 1, 4, 4, dtype=torch.float64), codes).logits.dtype == torch.float64


@pytest.mark.parametrize(
    ("channels", "shape"), [(1, (2, 4, 5)), (3, (2, 5, 4)), (3, (2, 2, 4, 4)), (1, (2, 3, 4, 4)), (2, (3, 4, 4))]
)
def test_shapes_that_do_not_fit_are_refused(channels, shape):
    with pytest.raises(ConfigError, match="loss: codes do not fit the logits, expected"):
        coded_planes(torch.zeros(2, channels, 4, 4), torch.zeros(shape, dtype=torch.long))
