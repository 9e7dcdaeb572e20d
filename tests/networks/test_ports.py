"""Networks meet the data by two numbers."""

import pytest
import segmentation_models_pytorch as smp
import torch
from monai.networks.nets import UNet
from torch import nn

from lit_medseg.errors import ConfigError
from lit_medseg.networks.ports import check_ports, fill_ports
from lit_medseg.networks.timm_classifier import timm_classifier


class Listing(nn.Module):
    """Gives a list, as networks with deep supervision do."""

    def forward(self, image):
        return [image]


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
        (Listing(), False, "logits do not fit the data, .* got list"),
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
