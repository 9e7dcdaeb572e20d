"""Dropout for networks that have no argument for it."""

from collections.abc import Sequence
from functools import partial
from typing import Any

from torch import Tensor, nn
from torch.nn import functional as F

from lit_medseg.errors import ConfigError, expected_got


def add_dropout(network: nn.Module, share: float) -> None:
    """Drop features before the network's last layer while it trains.

    The last convolution or linear layer in the order of the modules is meant: the head of segmentation_models_pytorch,
    timm, dynamic-network-architectures and MONAI; with MONAI's deep supervision every head, which are layers of the
    same kernel and as many channels. Before a convolution whole channels are dropped, since neighbouring pixels tell
    the same.

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
    for head in _heads(layers, bool(getattr(network, "deep_supervision", False))):
        head.register_forward_pre_hook(partial(_drop, share))


def _heads(layers: Sequence[nn.Module], supervised: bool) -> list[nn.Module]:
    """Give the last layer, and those like it where there are heads at several levels."""
    last = layers[-1]
    return [layer for layer in layers if layer is last or (supervised and _kind(layer) == _kind(last))]


def _kind(layer: nn.Module) -> tuple[int, ...]:
    weight: Tensor = layer.weight  # type: ignore[assignment]  # linear layers and convolutions have one
    return (weight.shape[0], *weight.shape[2:])


def _drop(share: float, layer: nn.Module, inputs: tuple[Any, ...]) -> tuple[Any, ...]:
    features: Tensor = inputs[0]
    if isinstance(layer, nn.Linear):
        return (F.dropout(features, share, layer.training), *inputs[1:])
    dropped = F.dropout1d(features.flatten(2), share, layer.training).view_as(features)
    return (dropped, *inputs[1:])
