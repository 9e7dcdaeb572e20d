"""Images and filters with their channels innermost."""

import torch
from torch import nn

LAYOUTS = {4: torch.channels_last, 5: torch.channels_last_3d}
"""The layout by number of axes: pictures and volumes."""


def channels_innermost(network: nn.Module) -> None:
    """Store the filters of a network with the channels innermost, in place; its numbers stay."""
    for parameter in network.parameters():
        layout = LAYOUTS.get(parameter.ndim)
        if layout is not None:
            parameter.data = parameter.data.contiguous(memory_format=layout)
