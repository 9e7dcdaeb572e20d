"""Dropout before the last layer."""

import copy

import pytest
import segmentation_models_pytorch as smp
import torch
from monai.networks.nets import DynUNet
from torch import nn

from lit_medseg.errors import ConfigError
from lit_medseg.networks.dropout import add_dropout
from lit_medseg.networks.residual_encoder_unet import residual_encoder_unet
from lit_medseg.networks.timm_classifier import timm_classifier


def test_whole_channels_are_dropped_in_training_alone():
    torch.manual_seed(0)
    head = nn.Conv2d(200, 1, 1, bias=False)
    nn.init.ones_(head.weight)
    network = nn.Sequential(nn.Identity(), head)
    add_dropout(network, 0.25)
    image = torch.ones(1, 200, 3, 3)
    trained = network.train()(image)
    kept = trained[0, 0, 0, 0].item() * 0.75
    assert 120 <= kept <= 180
    assert torch.allclose(trained, trained[0, 0, 0, 0].expand_as(trained)), "neighbours share their fate"
    assert torch.equal(network.eval()(image), torch.full((1, 1, 3, 3), 200.0))


@pytest.mark.parametrize(
    "network",
    [
        smp.Unet("resnet18", encoder_weights=None, decoder_channels=(16, 16, 16, 16, 16)),
        timm_classifier("resnet10t", classes=3),
    ],
)
def test_libraries_networks_take_it_and_keep_their_weights(network):
    names = list(network.state_dict())
    add_dropout(network, 0.5)
    copied = copy.deepcopy(network).train()
    image = torch.rand(2, 3, 64, 64)
    assert list(network.state_dict()) == names
    torch.manual_seed(1)
    one = copied(image)
    assert not torch.equal(one, copied(image))
    network.eval()
    assert torch.equal(network(image), network(image))


@pytest.mark.parametrize(
    ("network", "share"), [(nn.Conv2d(1, 1, 1), 1.0), (nn.Conv2d(1, 1, 1), -0.1), (nn.ReLU(), 0.1)]
)
def test_useless_settings_are_refused(network, share):
    with pytest.raises(ConfigError, match="dropout"):
        add_dropout(network, share)


def test_every_head_of_deep_supervision_has_it():
    dyn = DynUNet(2, 1, 2, [3] * 4, [1, 2, 2, 2], [2] * 3, filters=[4, 8, 8, 8], deep_supervision=True, deep_supr_num=2)
    add_dropout(dyn, 0.5)
    dropping = [name for name, module in dyn.named_modules() if module._forward_pre_hooks]
    assert len(dropping) == 3
    assert any(name.startswith("output_block") for name in dropping)
    image = torch.rand(1, 1, 16, 16)
    levels = dyn.train()(image)
    assert (levels != dyn(image)).flatten(2).any(2).all()
    residual = residual_encoder_unet(1, 2, (16, 16), base_features=4, deep_supervision=True)
    add_dropout(residual, 0.5)
    fine, coarse = residual.train()(image)
    again = residual(image)
    assert not torch.equal(fine, again[0])
    assert torch.equal(coarse, again[1])
