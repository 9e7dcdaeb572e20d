"""A loss over the levels of a network."""

import pytest
import torch
from monai.networks.nets import DynUNet
from torch.nn import functional as F

from lit_medseg.errors import ConfigError
from lit_medseg.losses.composite_loss import loss_and_terms
from lit_medseg.losses.cross_entropy import CrossEntropy
from lit_medseg.losses.deep_supervision import DeepSupervision, at_grid
from lit_medseg.losses.dice import DiceLoss
from lit_medseg.losses.weighted_sum import WeightedSum
from lit_medseg.networks.residual_encoder_unet import residual_encoder_unet


def _nearest(codes, grid):
    planes = codes if codes.ndim == len(grid) + 2 else codes[:, None]
    resized = F.interpolate(planes.double(), grid, mode="nearest-exact").long()
    return resized if codes.ndim == len(grid) + 2 else resized[:, 0]


@pytest.mark.parametrize("shape", [(2, 8, 12), (2, 3, 8, 12), (1, 9, 7, 10)])
def test_codes_are_taken_from_the_nearest_voxel(shape):
    codes = torch.randint(5, shape)
    for grid in ((4, 6), (2, 3), (8, 4)) if shape[-1] == 12 else ((5, 4, 5), (9, 7, 10)):
        found = at_grid(codes, grid)
        planes = codes[:, None] if len(grid) == codes.ndim - 1 else codes
        assert torch.equal(found, F.interpolate(planes.double(), grid, mode="nearest-exact").long().view(found.shape))
    assert at_grid(codes, shape[-2:]) is codes


@pytest.mark.parametrize("overlapping", [False, True])
def test_levels_are_weighed_by_halves(overlapping):
    codes = torch.randint(2, (2, 3, 8, 8)) if overlapping else torch.randint(3, (2, 8, 8))
    levels = [torch.randn(2, 3, side, side, requires_grad=True) for side in (8, 4, 2)]
    inner = WeightedSum(CrossEntropy(), DiceLoss(), 0.5, 2.0)
    parts = [inner(level, _nearest(codes, level.shape[2:])) for level in levels]
    total, terms = loss_and_terms(DeepSupervision(inner), levels, codes)
    torch.testing.assert_close(total, (4 * parts[0] + 2 * parts[1] + parts[2]) / 7)
    assert list(terms) == ["pixel", "region"]
    total.backward()
    assert all(level.grad.abs().sum() > 0 for level in levels)
    own = DeepSupervision(inner, [3.0, 1.0, 0.0])(levels, codes)
    torch.testing.assert_close(own, (3 * parts[0] + parts[1]) / 4)


def test_one_tensor_has_the_plain_loss():
    logits, codes = torch.randn(2, 3, 8, 8), torch.randint(3, (2, 8, 8))
    torch.testing.assert_close(DeepSupervision(CrossEntropy())(logits, codes), CrossEntropy()(logits, codes))
    planes = torch.randint(2, (2, 3, 8, 8))
    torch.testing.assert_close(DeepSupervision(DiceLoss(), [1.0, 1.0])(logits, planes), DiceLoss()(logits, planes))


def test_the_networks_of_both_libraries_train():
    image, codes = torch.randn(2, 1, 16, 16), torch.randint(2, (2, 16, 16))
    dyn = DynUNet(2, 1, 2, [3] * 4, [1, 2, 2, 2], [2] * 3, filters=[4, 8, 8, 8], deep_supervision=True, deep_supr_num=2)
    for network in (residual_encoder_unet(1, 2, (16, 16), base_features=4, deep_supervision=True), dyn):
        loss = DeepSupervision(CrossEntropy())
        loss(network.train()(image), codes).backward()
        assert all(weight.grad is not None for weight in network.parameters())
        with torch.no_grad():
            assert torch.isfinite(loss(network.eval()(image), codes))


def test_mistakes_are_named():
    codes = torch.randint(2, (1, 4, 4))
    levels = [torch.randn(1, 2, 4, 4), torch.randn(1, 2, 2, 2)]
    for weights in ([], [-1.0, 2.0], [0.0, 0.0]):
        with pytest.raises(ConfigError, match="weights: unusable"):
            DeepSupervision(CrossEntropy(), weights)
    with pytest.raises(ConfigError, match="weights: wrong number, expected 2, got 3"):
        DeepSupervision(CrossEntropy(), [1.0, 1.0, 1.0])(levels, codes)
    with pytest.raises(ConfigError, match="several levels, expected one tensor, got 2"):
        loss_and_terms(CrossEntropy(), levels, codes)
