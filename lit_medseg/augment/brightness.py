"""Another gain of the scanner."""

from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor
from typing_extensions import override

from lit_medseg.augment.channel_factors import ChannelFactors


@dataclass(frozen=True)
class Brightness(ChannelFactors):
    """Multiply each channel by a factor of its own; see `ChannelFactors` for the keys."""

    @staticmethod
    @override
    def change(image: Tensor, factors: Sequence[float]) -> None:
        for channel, factor in zip(image, factors, strict=True):
            channel.mul_(factor)
