"""Which parameters train, and how fast."""

from collections.abc import Iterable
from typing import Any

from torch import nn

from lit_medseg.errors import ConfigError, expected_got


def freeze(network: nn.Module, prefixes: Iterable[str]) -> list[nn.Module]:
    """Exclude parts of a network from training.

    Args:
        network: The whole network.
        prefixes: Dotted names of modules within it, such as `encoder` or `encoder.layer1`.

    Returns:
        The frozen modules: the task keeps them in evaluation mode, so that their batch statistics stay too.

    Raises:
        ConfigError: A name is no module of the network.
    """
    modules = dict(network.named_modules())
    frozen = []
    for prefix in prefixes:
        if prefix not in modules or not prefix:
            near = [name for name, _ in network.named_children()]
            raise ConfigError(
                expected_got("frozen", "no such part of the network", f"e.g. {near}", repr(prefix), "Mend the name")
            )
        modules[prefix].requires_grad_(False)
        frozen.append(modules[prefix])
    return frozen


def parameter_groups(network: nn.Module, encoder: str, factor: float, lr: float) -> list[dict[str, Any]]:
    """Split the trained parameters into the encoder's and the others'.

    Args:
        network: The whole network.
        encoder: Dotted name of the encoder within it.
        factor: The encoder's learning rate as a multiple of the others'.
        lr: The others' learning rate.

    Returns:
        One group where the factor is 1, else two, the encoder's with its own `lr`.

    Raises:
        ConfigError: A factor other than 1 where the network has no such part.
    """
    trained = [(name, parameter) for name, parameter in network.named_parameters() if parameter.requires_grad]
    if factor == 1:
        return [{"params": [parameter for _, parameter in trained]}]
    inner = [parameter for name, parameter in trained if name.startswith(f"{encoder}.")]
    outer = [parameter for name, parameter in trained if not name.startswith(f"{encoder}.")]
    if not inner:
        names = [name for name, _ in network.named_children()]
        todo = "Name the encoder's module in fine_tuning.encoder"
        raise ConfigError(
            expected_got(
                "encoder_lr_factor", "the network has no such trained part", f"e.g. {names}", repr(encoder), todo
            )
        )
    return [{"params": outer}, {"params": inner, "lr": lr * factor}]
