import pytest
import torch
import torch.nn.functional as F

from lit_medseg.errors import ConfigError
from lit_medseg.losses.cross_entropy import CrossEntropy


@pytest.mark.parametrize("grid", [(), (7, 9)])
@pytest.mark.parametrize("smoothing", [0.0, 0.2])
def test_exclusive_agrees_with_torch(grid, smoothing):
    logits = torch.randn(4, 3, *grid, dtype=torch.float64)
    codes = torch.randint(3, (4, *grid))
    expected = F.cross_entropy(logits, codes, label_smoothing=smoothing)
    torch.testing.assert_close(CrossEntropy(label_smoothing=smoothing)(logits, codes), expected)


def test_weights_agree_with_torch_before_its_division():
    logits, codes, weights = torch.randn(4, 3, 7, 9), torch.randint(3, (4, 7, 9)), [0.3, 0.7, 2.0]
    summed = F.cross_entropy(logits, codes, weight=torch.tensor(weights), reduction="sum")
    torch.testing.assert_close(CrossEntropy(weights)(logits, codes), summed / codes.numel())


@pytest.mark.parametrize("smoothing", [0.0, 0.2])
def test_binary_is_the_softmax_of_two_classes(smoothing):
    logits, codes = torch.randn(4, 1, 7, 9), torch.randint(2, (4, 7, 9))
    two = torch.cat([torch.zeros_like(logits), logits], dim=1)
    expected = F.cross_entropy(two, codes, label_smoothing=smoothing)
    torch.testing.assert_close(CrossEntropy(label_smoothing=smoothing)(logits, codes), expected)
    weights = [0.5, 1.5]
    torch.testing.assert_close(CrossEntropy(weights)(logits, codes), CrossEntropy(weights)(two, codes))


def test_overlapping_agrees_with_torch():
    logits, codes = torch.randn(4, 3, 7, 9), torch.randint(2, (4, 3, 7, 9))
    torch.testing.assert_close(CrossEntropy()(logits, codes), F.binary_cross_entropy_with_logits(logits, codes.float()))
    weights = torch.tensor([0.5, 1.0, 1.5])
    expected = F.binary_cross_entropy_with_logits(logits, codes.float(), pos_weight=weights.view(3, 1, 1))
    torch.testing.assert_close(CrossEntropy(weights.tolist())(logits, codes), expected)


@pytest.mark.parametrize("smoothing", [-0.1, 1.0])
def test_smoothing_out_of_range_is_refused(smoothing):
    with pytest.raises(ConfigError, match="label_smoothing: out of range"):
        CrossEntropy(label_smoothing=smoothing)
