"""Another contrast."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from typing_extensions import override

from lit_medseg.augment.channel_factors import ChannelFactors


@dataclass(frozen=True)
class Contrast(ChannelFactors):
    """Stretch each channel about its mean by a factor of its own, and clip it to the range that it had.

    See `ChannelFactors` for the keys.
    """

    @staticmethod
    @override
    def change(image: Tensor, factors: Sequence[float]) -> None:
        for channel, factor in zip(image, factors, strict=True):
            mean = channel.mean()
            low, high = torch.aminmax(channel)
            channel.sub_(mean).mul_(factor).add_(mean).clamp_(low, high)
