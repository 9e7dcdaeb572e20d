"""Whole images of any size."""

import pytest
import torch
from torch import nn

from lit_medseg.inference.whole_image import WholeImage


class Halving(nn.Module):
    """Refuses sides that it cannot halve five times; otherwise the identity."""

    def forward(self, image):
        assert all(side % 32 == 0 for side in image.shape[2:])
        return image


@pytest.mark.parametrize("grid", [(32, 64), (33, 31), (1, 1), (200, 37), (5, 40, 33)])
def test_the_grid_comes_back(grid):
    image = torch.rand(2, 1, *grid)
    assert torch.equal(WholeImage()(image, Halving()), image)


def test_padding_reflects_where_it_can_and_repeats_where_it_must():
    seen = []
    WholeImage(divisor=4)(torch.arange(5.0)[None, None, None].repeat(1, 1, 4, 1), lambda x: seen.append(x) or x)
    assert seen[0][0, 0, 0].tolist() == [0, 1, 2, 3, 4, 3, 2, 1]
    WholeImage(divisor=8)(torch.arange(3.0)[None, None, None].repeat(1, 1, 8, 1), lambda x: seen.append(x) or x)
    assert seen[1][0, 0, 0].tolist() == [0, 1, 2, 2, 2, 2, 2, 2]


def test_flips_average_over_all_mirrors():
    torch.manual_seed(0)
    network = nn.Conv2d(1, 2, 3, padding=1)
    image = torch.rand(1, 1, 32, 32)
    with torch.no_grad():
        mirrored = [network(image.flip(axes)).flip(axes) for axes in ([], [2], [3], [2, 3])]
        torch.testing.assert_close(WholeImage(flips=True)(image, network), torch.stack(mirrored).mean(0))
