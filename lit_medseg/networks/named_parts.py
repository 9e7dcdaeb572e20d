"""Parts of a network by their dotted names."""

from collections.abc import Sequence
from fnmatch import fnmatchcase

from torch import nn

from lit_medseg.errors import ConfigError, expected_got


def named_parts(network: nn.Module, patterns: Sequence[str], where: str) -> dict[str, nn.Module]:
    """Find the modules that a YAML names.

    Args:
        network: The whole network.
        patterns: Dotted names within it; `*` stands for any one name between two dots: `encoder.*` means the children
            of `encoder` and not theirs.
        where: The key of the YAML, for the message.

    Returns:
        The modules by name, in the network's order; empty where no pattern is given.

    Raises:
        ConfigError: A pattern meets nothing, or a list of modules, which is never called itself.
    """
    modules = {name: module for name, module in network.named_modules() if name}
    met = {pattern: [name for name in modules if _meets(name, pattern)] for pattern in patterns}
    for pattern, names in met.items():
        if not names:
            todo = "Mend the name; * stands for one name between two dots"
            expected = f"e.g. {_near(network, pattern)}"
            raise ConfigError(expected_got(where, "no such part of the network", expected, repr(pattern), todo))
        lists = [name for name in names if type(modules[name]).forward is nn.Module.forward]
        if lists:
            what, todo = "a list of modules is never called itself", f"Name its parts: {lists[0]}.*"
            raise ConfigError(expected_got(where, what, "modules with a forward", repr(lists[0]), todo))
    wanted = {name for names in met.values() for name in names}
    return {name: module for name, module in modules.items() if name in wanted}


def _meets(name: str, pattern: str) -> bool:
    parts, wanted = name.split("."), pattern.split(".")
    return len(parts) == len(wanted) and all(map(fnmatchcase, parts, wanted))


def _near(network: nn.Module, pattern: str) -> list[str]:
    """List what the last module that the pattern does meet has in it."""
    prefix, module = "", network
    for part in pattern.split("."):
        inner = dict(module.named_children())
        if part not in inner:
            break
        prefix, module = f"{prefix}{part}.", inner[part]
    return [f"{prefix}{name}" for name, _ in module.named_children()][:8] or [prefix.rstrip(".")]
