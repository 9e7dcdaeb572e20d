"""2.5D."""

import pytest
import torch
from torch import nn

from lit_medseg.errors import ConfigError
from lit_medseg.networks.slices_as_channels import SlicesAsChannels


@pytest.mark.parametrize("neighbours", [0, 1, 2])
def test_each_slice_is_seen_with_its_neighbours(neighbours):
    torch.manual_seed(0)
    span = 2 * neighbours + 1
    network = nn.Conv2d(2 * span, 3, 3, padding=1)
    volumes = torch.randn(2, 2, 5, 6, 7)
    logits = SlicesAsChannels(network, neighbours)(volumes)
    assert logits.shape == (2, 3, 5, 6, 7)
    for depth in range(5):
        seen = [min(max(depth + step, 0), 4) for step in range(-neighbours, neighbours + 1)]
        slices = torch.cat([volumes[:, channel, seen] for channel in range(2)], dim=1)
        torch.testing.assert_close(logits[:, :, depth], network(slices))


def test_levels_and_labels():
    class Levels(nn.Module):
        def forward(self, image):
            return [image[:, :2], image[:, :2, ::2, ::2]]

    class Label(nn.Module):
        def forward(self, image):
            return image.mean((2, 3))

    volumes = torch.randn(2, 1, 5, 6, 8)
    fine, coarse = SlicesAsChannels(Levels())(volumes)
    assert fine.shape == (2, 2, 5, 6, 8)
    assert coarse.shape == (2, 2, 5, 3, 4)
    labels = SlicesAsChannels(Label(), 0)(volumes)
    torch.testing.assert_close(labels, volumes.mean((2, 3, 4)))


def test_a_negative_number_is_refused():
    with pytest.raises(ConfigError, match="neighbours: unusable"):
        SlicesAsChannels(nn.Identity(), -1)
