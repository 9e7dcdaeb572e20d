"""The network of `resume.py`: MONAI's U-Net of any width, with steps as long as one likes."""

import time
from collections.abc import Sequence

from monai.networks.nets import UNet
from torch import Tensor, nn


class SlowUNet(nn.Module):
    """A residual 3D U-Net that halves the volume between its levels.

    Args:
        in_channels: Of the image.
        classes: Channels of the logits.
        channels: Of each level.
        step_s: Seconds that a training step sleeps before it computes.
    """

    def __init__(self, in_channels: int, classes: int, channels: Sequence[int], step_s: float = 0.0) -> None:
        super().__init__()
        strides = [2] * (len(channels) - 1)
        self.layers: nn.Module = UNet(3, in_channels, classes, channels, strides, num_res_units=2)
        self.step_s = step_s

    def forward(self, image: Tensor) -> Tensor:
        """Give the logits."""
        if self.training:
            time.sleep(self.step_s)
        logits: Tensor = self.layers(image)
        return logits
