import numpy as np
import pytest
import torch
from sklearn.utils.class_weight import compute_class_weight

from lit_medseg.errors import ConfigError, DataError
from lit_medseg.losses.class_weights import ClassWeights, balanced_weights, fill_class_weights, wants_class_weights
from lit_medseg.losses.coded_planes import coded_planes
from lit_medseg.losses.cross_entropy import CrossEntropy
from lit_medseg.losses.dice import DiceLoss
from lit_medseg.losses.focal import FocalLoss
from lit_medseg.losses.weighted_sum import WeightedSum


@pytest.mark.parametrize("counts", [[5, 5], [1, 99], [3, 40, 7], [10**9, 3]])
def test_balanced_is_proportional_to_scikit_learn(counts):
    weights = balanced_weights(counts)
    assert np.mean(weights) == pytest.approx(1)
    if sum(counts) < 1000:
        labels = np.repeat(np.arange(len(counts)), counts)
        expected = compute_class_weight("balanced", classes=np.arange(len(counts)), y=labels)
        np.testing.assert_allclose(np.array(weights) / weights[0], expected / expected[0], rtol=1e-12)


def test_a_class_without_data_is_refused():
    with pytest.raises(DataError, match="class weights: class 1: has no training data"):
        balanced_weights([3, 0])


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
    assert overlapping.tolist() == [[[1], [3]]]
