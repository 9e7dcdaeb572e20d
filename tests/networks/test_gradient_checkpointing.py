"""Checkpointed parts keep less and change nothing, for networks of several libraries."""

import copy

import pytest
import torch
from dynamic_network_architectures.architectures.unet import PlainConvUNet
from monai.networks.nets import SegResNet
from segmentation_models_pytorch import Unet
from torch import nn

from lit_medseg.errors import ConfigError
from lit_medseg.networks.gradient_checkpointing import checkpoint_parts


class Net(nn.Module):
    """Batch norms of both kinds of momentum, dropout, and a part that takes its input by name."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        parts = [nn.Conv2d(3, 8, 3, padding=1), nn.BatchNorm2d(8), nn.Dropout(0.3), nn.ReLU(inplace=True)]
        more = [nn.Conv2d(8, 8, 3, padding=1), nn.BatchNorm2d(8, momentum=None), nn.InstanceNorm2d(8), nn.Dropout(0.3)]
        self.encoder = nn.Sequential(nn.Sequential(*parts), nn.Sequential(*more))
        self.head = nn.Conv2d(8, 2, 1)

    def forward(self, image):
        return self.head(input=self.encoder(image))


def trained(network, shape):
    """The state after three steps, and the elements that were kept for the gradient of the first."""
    optimizer = torch.optim.SGD(network.parameters(), lr=0.1)
    torch.manual_seed(1)
    kept = []
    for step in range(3):
        image = torch.randn(2, *shape, generator=torch.Generator().manual_seed(step))
        stored = []
        keep, give = (lambda tensor, to=stored: to.append(tensor) or tensor), (lambda tensor: tensor)
        with torch.autograd.graph.saved_tensors_hooks(keep, give):
            loss = network(image).square().mean()
        kept.append(sum({one.untyped_storage().data_ptr(): one.numel() for one in stored}.values()))
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
    return network.state_dict(), kept[0]


UNET = {"n_stages": 3, "features_per_stage": [4, 8, 8], "conv_op": nn.Conv2d, "kernel_sizes": 3, "strides": [1, 2, 2]}
UNET |= {"n_conv_per_stage": 2, "n_conv_per_stage_decoder": 1, "norm_op": nn.InstanceNorm2d, "nonlin": nn.LeakyReLU}
NETWORKS = {
    "own": (Net, ["encoder.*", "head"], (3, 8, 8)),
    "smp": (lambda: Unet("resnet18", encoder_weights=None), ["encoder.layer*", "decoder.blocks.*"], (3, 64, 64)),
    "monai": (
        lambda: SegResNet(spatial_dims=2, init_filters=8, in_channels=1, out_channels=2),
        ["down_layers.*", "up_layers.*"],
        (1, 16, 16),
    ),
    "nnunet": (
        lambda: PlainConvUNet(1, num_classes=2, nonlin_kwargs={"inplace": True}, **UNET),
        ["encoder.stages.*", "decoder.stages.*"],
        (1, 16, 16),
    ),
}


@pytest.mark.parametrize("name", NETWORKS)
def test_the_same_weights_and_statistics_from_less(name):
    build, patterns, shape = NETWORKS[name]
    plain = build()
    checkpointed = copy.deepcopy(plain)
    checkpoint_parts(checkpointed, patterns)
    again = copy.deepcopy(checkpointed)
    expected, kept = trained(plain, shape)
    found, less = trained(checkpointed, shape)
    assert list(expected) == list(found)
    assert all(torch.equal(expected[key], found[key]) for key in expected)
    assert less < 0.6 * kept
    # a copy (of averaged weights, say) computes with its own parts
    of_copy, _ = trained(again, shape)
    assert all(torch.equal(expected[key], of_copy[key]) for key in expected)


def test_evaluation_is_left_alone():
    network = Net().eval()
    image = torch.randn(1, 3, 8, 8)
    expected = network(image)
    checkpoint_parts(network, ["encoder.*"])
    with torch.no_grad():
        assert torch.equal(network(image), expected)


def test_of_nested_parts_the_outermost_counts():
    network = Net()
    checkpoint_parts(network, ["encoder.*.*", "encoder"])
    assert "forward" in vars(network.encoder)
    assert "forward" not in vars(network.encoder[0][0])


def test_an_unknown_part_is_refused_with_its_key():
    with pytest.raises(ConfigError, match=r"execution\.checkpointed: no such part .* got 'decoder\.\*'"):
        checkpoint_parts(Net(), ["decoder.*"])
