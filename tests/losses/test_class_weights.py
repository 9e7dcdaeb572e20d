import pytest
import torch

from lit_medseg.errors import ConfigError
from lit_medseg.losses.class_weights import ClassWeights, fill_class_weights, wants_class_weights
from lit_medseg.losses.coded_planes import coded_planes
from lit_medseg.losses.cross_entropy import CrossEntropy
from lit_medseg.losses.dice import DiceLoss
from lit_medseg.losses.focal import FocalLoss
from lit_medseg.losses.weighted_sum import WeightedSum


def test_only_balanced_parts_are_filled():
    loss = WeightedSum(CrossEntropy("balanced"), FocalLoss(class_weights=[1.0, 2.0]))
    assert wants_class_weights(loss)
    fill_class_weights(loss, [0.5, 1.5])
    assert loss.pixel.class_weights.values.tolist() == [0.5, 1.5]
    assert loss.region.class_weights.values.tolist() == [1.0, 2.0]
    assert not wants_class_weights(WeightedSum(CrossEntropy([1.0, 1.0]), DiceLoss()))
    assert not loss.state_dict()


def test_unfilled_wrong_and_unusable_weights_are_refused():
    logits, codes = torch.zeros(1, 3, 4, 4), torch.zeros(1, 4, 4, dtype=torch.long)
    with pytest.raises(ConfigError, match="class_weights: not fitted"):
        CrossEntropy("balanced")(logits, codes)
    with pytest.raises(ConfigError, match="class_weights: wrong number of weights, expected 3, got"):
        CrossEntropy([1.0, 1.0])(logits, codes)
    with pytest.raises(ConfigError, match="wrong number of weights, expected 2"):
        CrossEntropy([1.0])(logits[:, :1], codes)
    for weights in ([], [-1.0, 2.0], [0.0, 0.0], [float("nan"), 1.0]):
        with pytest.raises(ConfigError, match="unusable weights"):
            ClassWeights(weights)


def test_factor_of_each_coding():
    codes = torch.tensor([[[0, 1], [1, 0]]])
    binary = ClassWeights([1.0, 3.0])(coded_planes(torch.zeros(1, 1, 2, 2), codes))
    assert binary.tolist() == [[[1, 3, 3, 1]]]
    exclusive = ClassWeights([1.0, 3.0])(coded_planes(torch.zeros(1, 2, 2, 2), codes))
    assert exclusive.tolist() == [[1, 3, 3, 1]]
    overlapping = ClassWeights([1.0, 3.0])(
        coded_planes(torch.zeros(1, 2, 2, 2), codes.repeat(1, 2, 1, 1).view(1, 2, 2, 2))
    )
    assert overlapping.tolist() == [[[1, 1, 1, 1], [1, 3, 3, 1]]]
