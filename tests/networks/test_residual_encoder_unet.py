"""nnU-Net's residual encoder from plain numbers."""

import pytest
import torch
from dynamic_network_architectures.architectures.unet import ResidualEncoderUNet
from jsonargparse import ArgumentParser
from torch import nn

from lit_medseg.errors import ConfigError
from lit_medseg.networks.residual_encoder_unet import residual_encoder_unet


def original(channels, classes, features, strides, kernels, blocks, supervised=False, conv=nn.Conv3d):
    """Build it as nnU-Net's plans do."""
    return ResidualEncoderUNet(
        channels,
        len(features),
        features,
        conv,
        kernels,
        strides,
        blocks,
        classes,
        [1] * (len(features) - 1),
        conv_bias=True,
        norm_op=nn.InstanceNorm3d if conv is nn.Conv3d else nn.InstanceNorm2d,
        norm_op_kwargs={"eps": 1e-5, "affine": True},
        nonlin=nn.LeakyReLU,
        nonlin_kwargs={"inplace": True},
        deep_supervision=supervised,
    )


def count(network):
    return sum(weight.numel() for weight in network.parameters())


def test_it_is_the_original_network():
    torch.manual_seed(0)
    ours = residual_encoder_unet(2, 3, (48, 16, 16), base_features=4)
    peer = original(2, 3, [4, 8, 16, 32], [1, 2, 2, (2, 1, 1)], 3, [1, 3, 4, 6])
    assert count(ours) == count(peer)
    image = torch.randn(1, 2, 48, 16, 16)
    peer.load_state_dict(ours.state_dict())
    assert torch.equal(peer.eval()(image), ours.eval()(image))


def test_the_size_for_large_patches_is_nnunets():
    with torch.device("meta"):
        ours = residual_encoder_unet(1, 2, (128, 128, 128))
        peer = original(1, 2, [32, 64, 128, 256, 320, 320], [1, 2, 2, 2, 2, 2], 3, [1, 3, 4, 6, 6, 6])
    assert count(ours) == count(peer)


def test_pictures_have_a_network_of_their_own():
    network = residual_encoder_unet(1, 2, (16, 16), base_features=4).eval()
    assert network(torch.zeros(1, 1, 16, 16)).shape == (1, 2, 16, 16)
    assert count(network) == count(original(1, 2, [4, 8, 16], [1, 2, 2], 3, [1, 3, 4], conv=nn.Conv2d))


def test_levels_come_out_while_training_only():
    network = residual_encoder_unet(1, 2, (16, 16), base_features=4, deep_supervision=True)
    image = torch.randn(1, 1, 16, 16)
    levels = network.train()(image)
    assert [tuple(level.shape[2:]) for level in levels] == [(16, 16), (8, 8)]
    evaluated = network.eval()(image)
    torch.testing.assert_close(evaluated, levels[0])
    assert len(network.train()(image)) == 2
    plain = residual_encoder_unet(1, 2, (16, 16), base_features=4)
    assert isinstance(plain.train()(image), torch.Tensor)


def test_a_yaml_states_its_own_stages():
    parser = ArgumentParser(exit_on_error=False)
    parser.add_subclass_arguments(nn.Module, "network")
    stages = {"features": [4, 8], "strides": [[1, 1, 1], [1, 2, 2]], "kernel_sizes": [[1, 3, 3], [3, 3, 3]]}
    arguments = {"in_channels": 2, "classes": 3, "patch_size": [4, 8, 8], "stages": {**stages, "blocks": [1, 2]}}
    path = "lit_medseg.networks.residual_encoder_unet.residual_encoder_unet"
    config = parser.parse_object({"network": {"class_path": path, "init_args": arguments}})
    network = parser.instantiate(config).network
    assert network(torch.zeros(1, 2, 4, 8, 8)).shape == (1, 3, 4, 8, 8)
    assert count(network) == count(original(2, 3, [4, 8], [1, (1, 2, 2)], [(1, 3, 3), 3], [1, 2]))


def test_bfloat16_works_as_it_is():
    network = residual_encoder_unet(1, 2, (16, 16), base_features=4).eval()
    with torch.autocast("cpu", torch.bfloat16):
        assert network(torch.zeros(1, 1, 16, 16)).dtype == torch.bfloat16


def test_unusable_patches_are_refused():
    with pytest.raises(ConfigError, match="patch_size: unusable, expected 2 or 3 sides"):
        residual_encoder_unet(1, 2, (16,))
    with pytest.raises(ConfigError, match=r"expected \(20, 16\), got \(18, 16\)"):
        residual_encoder_unet(1, 2, (18, 16))
