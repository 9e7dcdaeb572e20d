"""Which parts of a network are gathered as one, when its weights are spread over the ranks."""

from collections import Counter
from collections.abc import Sequence

from torch import nn

from lit_medseg.errors import ConfigError, expected_got
from lit_medseg.networks.named_parts import named_parts

_KEY = "trainer.strategy.init_args.units"


def shard_units(network: nn.Module, patterns: Sequence[str] | None, least: int) -> list[nn.Module]:
    """Choose the parts whose weights are gathered together just before they are used.

    Without names, a part is a unit as soon as it has `least` parameters that no unit within it has. Single layers stay
    with the part around them, because some are never called themselves (the projection within torch's attention). So do
    parts that have something in common with another part. What is left belongs to the network as a whole.

    Args:
        network: Not yet spread.
        patterns: Dotted names of the parts, see `named_parts`; None to choose by size.
        least: Parameters of a unit that is chosen by size.

    Returns:
        The units without the network itself, inner ones before those around them.

    Raises:
        ConfigError: The network has no part of a given name, or it cannot be gathered alone.
    """
    common = _common(network)
    if patterns is None:
        found: list[nn.Module] = []
        _collect(network, least, common, found, set())
        return [unit for unit in found if unit is not network]
    named = named_parts(network, patterns, _KEY)
    for name, module in named.items():
        if not _alone(module, common):
            what, todo = "a part of it belongs to another part too", "Name the parts within it"
            raise ConfigError(expected_got(_KEY, what, "a part that has nothing in common", repr(name), todo))
    return list(reversed(named.values()))


def _collect(module: nn.Module, least: int, common: set[int], found: list[nn.Module], seen: set[nn.Module]) -> int:
    """Choose within a module; gives the number of its parameters that stand in no unit."""
    if module in seen:
        return 0
    seen.add(module)
    children = list(module.children())
    left = sum(parameter.numel() for parameter in module.parameters(recurse=False))
    left += sum(_collect(child, least, common, found, seen) for child in children)
    called = type(module).forward is not nn.Module.forward
    if left < least or not children or not called or not _alone(module, common):
        return left
    found.append(module)
    return 0


def _alone(module: nn.Module, common: set[int]) -> bool:
    """Tell whether nothing below a module is reached by another way."""
    below = [*module.parameters(), *(part for part in module.modules() if part is not module)]
    return not any(id(thing) in common for thing in below)


def _common(network: nn.Module) -> set[int]:
    """Find the modules and parameters that belong to several modules: shared parts, tied weights."""
    owners = Counter(
        id(thing)
        for module in network.modules()
        for thing in (*module._modules.values(), *module._parameters.values())
        if thing is not None
    )
    return {identity for identity, count in owners.items() if count > 1}
