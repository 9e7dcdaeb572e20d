"""Networks meet the data by two numbers."""

from importlib import import_module

import pytest
import segmentation_models_pytorch as smp
import torch
from jsonargparse import ArgumentParser
from monai.networks.nets import UNETR, SwinUNETR, UNet, ViT
from torch import nn

from lit_medseg.errors import ConfigError
from lit_medseg.networks.ports import check_ports, fill_ports
from lit_medseg.networks.residual_encoder_unet import residual_encoder_unet
from lit_medseg.networks.timm_classifier import timm_classifier


class Listing(nn.Module):
    """Gives a list, as networks with deep supervision do."""

    def forward(self, image):
        return [image]


VOLUME = (16, 16, 16)
MONAI = "monai.networks.nets"
DNA = "dynamic_network_architectures.architectures.unet"
NORM = {"norm_op": "torch.nn.InstanceNorm3d", "norm_op_kwargs": {"affine": True}, "nonlin": "torch.nn.LeakyReLU"}
STAGES = {
    "n_stages": 3,
    "features_per_stage": [4, 8, 8],
    "conv_op": "torch.nn.Conv3d",
    "kernel_sizes": 3,
    "strides": [1, 2, 2],
    "n_conv_per_stage_decoder": 1,
    "conv_bias": True,
    **NORM,
}
SEGMENTING = {
    f"{MONAI}.UNet": {"channels": [4, 8], "strides": [2]},
    f"{MONAI}.AttentionUnet": {"channels": [4, 8], "strides": [2]},
    f"{MONAI}.DynUNet": {"kernel_size": [3, 3, 3], "strides": [1, 2, 2], "upsample_kernel_size": [2, 2]},
    f"{MONAI}.SegResNet": {"init_filters": 8},
    f"{MONAI}.UNETR": {"feature_size": 4, "hidden_size": 48, "mlp_dim": 48},
    f"{MONAI}.SwinUNETR": {"feature_size": 12, "num_heads": [1, 1, 1, 1], "depths": [1, 1, 1, 1]},
    f"{MONAI}.VNet": {},
    f"{DNA}.PlainConvUNet": {**STAGES, "n_conv_per_stage": 1},
    f"{DNA}.ResidualEncoderUNet": {**STAGES, "n_blocks_per_stage": 1, "deep_supervision": True},
    "lit_medseg.networks.residual_encoder_unet.residual_encoder_unet": {"base_features": 4},
}
CLASSIFYING = {
    f"{MONAI}.ResNet": {"block": "basic", "layers": [1, 1, 1, 1], "block_inplanes": [4, 8, 8, 8]},
    f"{MONAI}.DenseNet": {"init_features": 4, "growth_rate": 4, "block_config": [1, 1]},
    f"{MONAI}.DenseNet121": {},
    f"{MONAI}.EfficientNetBN": {"model_name": "efficientnet-b0", "pretrained": False},
    f"{MONAI}.ViT": {
        "patch_size": [8, 8, 8],
        "hidden_size": 12,
        "num_heads": 2,
        "mlp_dim": 12,
        "num_layers": 1,
        "classification": True,
        "post_activation": "none",
    },
}


def _from_yaml(path, given, channels_in, channels_out, sides):
    """Build as the command line does: parsed, completed from the data, instantiated."""
    module, _, name = path.rpartition(".")
    filled = fill_ports(getattr(import_module(module), name), given, channels_in, channels_out, sides)
    parser = ArgumentParser(exit_on_error=False)
    parser.add_subclass_arguments(nn.Module, "network")
    config = parser.parse_object({"network": {"class_path": path, "init_args": given | filled}})
    return parser.instantiate(config).network


# the parser hands on every default, MONAI's deprecated ones too
@pytest.mark.filterwarnings("ignore:.*VNet.*dropout_prob:FutureWarning")
@pytest.mark.parametrize("path", SEGMENTING)
def test_networks_for_volumes_are_built_from_the_data_numbers(path):
    sides = (64, 64, 64) if path.endswith("SwinUNETR") else VOLUME
    network = _from_yaml(path, SEGMENTING[path], 2, 3, sides)
    check_ports(network, (2, *sides), 3, dense=True)


@pytest.mark.parametrize("path", CLASSIFYING)
def test_classifiers_of_volumes_are_built_from_the_data_numbers(path):
    sides = (32, 32, 32)
    network = _from_yaml(path, CLASSIFYING[path], 2, 4, sides)
    check_ports(network, (2, *sides), 4, dense=False)


def test_sizes_are_filled_where_they_are_asked_for():
    assert fill_ports(UNet, {}, 1, 2, (32, 32)) == {"spatial_dims": 2, "in_channels": 1, "out_channels": 2}
    assert fill_ports(UNETR, {"img_size": 8}, 1, 2, VOLUME) == {"spatial_dims": 3, "in_channels": 1, "out_channels": 2}
    swin = fill_ports(SwinUNETR, {}, 1, 2, VOLUME)
    assert swin == {"spatial_dims": 3, "in_channels": 1, "out_channels": 2}  # its patches are tokens
    vit = fill_ports(ViT, {"patch_size": 4}, 1, 2, VOLUME)
    assert vit == {"spatial_dims": 3, "img_size": VOLUME, "in_channels": 1, "num_classes": 2}
    ours = fill_ports(residual_encoder_unet, {}, 1, 2, VOLUME, (3.0, 1.0, 1.0))
    assert ours == {"in_channels": 1, "classes": 2, "patch_size": VOLUME, "spacing_mm": (3.0, 1.0, 1.0)}
    assert fill_ports(residual_encoder_unet, {"patch_size": 8, "spacing_mm": 1}, 1, 2, VOLUME, (1.0,) * 3) == {
        "in_channels": 1,
        "classes": 2,
    }


def test_each_library_is_filled_under_its_own_names():
    assert fill_ports(smp.Unet, {}, 1, 3) == {"in_channels": 1, "classes": 3, "encoder_weights": None}
    assert fill_ports(UNet, {}, 2, 4) == {"in_channels": 2, "out_channels": 4}
    assert fill_ports(timm_classifier, {}, 1, 5) == {"in_channels": 1, "classes": 5}


def test_what_the_user_wrote_is_kept():
    assert fill_ports(smp.Unet, {"in_channels": 3, "encoder_weights": "imagenet"}, 1, 2) == {"classes": 2}


def test_a_fitting_network_passes_and_keeps_mode_and_statistics():
    network = nn.Sequential(nn.Conv2d(1, 2, 1), nn.BatchNorm2d(2)).train()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    check_ports(network, (1, 8, 8), 2, dense=True)
    assert network.training
    assert all(torch.equal(before[name], value) for name, value in network.state_dict().items())


@pytest.mark.parametrize(
    ("network", "dense", "text"),
    [
        (nn.Conv2d(3, 2, 1), True, "cannot take the data's images"),
        (nn.Conv2d(1, 5, 1), True, r"expected \(1, 2, 8, 8\), got \(1, 5, 8, 8\)"),
        (nn.Conv2d(1, 2, 1), False, r"expected \(1, 2\), got \(1, 2, 8, 8\)"),
        (Listing(), True, r"logits do not fit the data, expected \(1, 2, 8, 8\), got \(1, 1, 8, 8\)"),
    ],
)
def test_a_network_that_does_not_fit_is_refused(network, dense, text):
    with pytest.raises(ConfigError, match=text):
        check_ports(network, (1, 8, 8), 2, dense)


def test_timm_names_the_nearest_model():
    with pytest.raises(ConfigError, match="resnet18"):
        timm_classifier("resnet1b8")


def test_timm_builds_for_gray_images():
    logits = timm_classifier("resnet10t", in_channels=1, classes=4)(torch.zeros(2, 1, 64, 64))
    assert logits.shape == (2, 4)
