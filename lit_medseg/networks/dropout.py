"""Dropout for networks that have no argument for it."""

from functools import partial
from typing import Any

from torch import Tensor, nn
from torch.nn import functional as F

from lit_medseg.errors import ConfigError, expected_got


def add_dropout(network: nn.Module, share: float) -> None:
    """Drop features before the network's last layer while it trains.

    The last convolution or linear layer in the order of the modules is meant: the head of segmentation_models_pytorch,
    timm and MONAI. Before a convolution whole channels are dropped, since neighbouring pixels tell the same.

    Source: Srivastava et al. 2014 (JMLR 15, 1929-1958); channels: Tompson et al. 2015, doi:10.1109/CVPR.2015.7298664.

    Args:
        network: Changed in place; its weights and their names stay.
        share: Of the features, in [0, 1).

    Raises:
        ConfigError: The share is out of range, or the network has no such layer.
    """
    if not 0 <= share < 1:
        raise ConfigError(expected_got("dropout", "out of range", "0 <= x < 1", share, "Give a share of the features"))
    layers = [module for module in network.modules() if isinstance(module, (nn.Linear, nn.modules.conv._ConvNd))]
    if not layers:
        got = type(network).__name__
        raise ConfigError(expected_got("dropout", "no layer to put it before", "a convolution", got, "Leave it out"))
    layers[-1].register_forward_pre_hook(partial(_drop, share))


def _drop(share: float, layer: nn.Module, inputs: tuple[Any, ...]) -> tuple[Any, ...]:
    features: Tensor = inputs[0]
    if isinstance(layer, nn.Linear):
        return (F.dropout(features, share, layer.training), *inputs[1:])
    dropped = F.dropout1d(features.flatten(2), share, layer.training).view_as(features)
    return (dropped, *inputs[1:])
