"""What a class that a YAML names takes, and the nearest one to a name that does not exist."""

import dataclasses
import difflib
import inspect
import pkgutil
import typing
from importlib import import_module
from types import ModuleType
from typing import Any

_NOT_KEYS = (inspect.Parameter.VAR_KEYWORD, inspect.Parameter.VAR_POSITIONAL)


def keys_of_class(class_path: str) -> list[str]:
    """List the arguments of a class or function; none where it cannot be imported.

    Args:
        class_path: Dotted.
    """
    try:
        parameters = inspect.signature(_found(class_path)).parameters
    except (ImportError, AttributeError, ValueError, TypeError):
        return []
    return [name for name, parameter in parameters.items() if parameter.kind not in _NOT_KEYS]


def keys_of_group(class_path: str, group: str) -> list[str]:
    """List the fields of a dataclass that is an argument of a class.

    Args:
        class_path: The class.
        group: Dotted names of its argument and of those within it.

    Returns:
        The fields' names; none where there is no such class or argument, or where it is no dataclass.
    """
    try:
        kind: Any = _found(class_path)
        for name in group.split("."):
            owner = kind.__init__ if inspect.isclass(kind) else kind
            kind = typing.get_type_hints(owner).get(name)
            kind = next((one for one in typing.get_args(kind) if dataclasses.is_dataclass(one)), kind)
    except (ImportError, AttributeError, NameError, ValueError, TypeError):
        return []
    return [field.name for field in dataclasses.fields(kind)] if dataclasses.is_dataclass(kind) else []


def nearest_class_path(class_path: str) -> str | None:
    """Mend the first part of a class path that does not exist.

    Args:
        class_path: Dotted.

    Returns:
        The path with its first wrong part replaced by the most similar one; None where nothing is similar.
    """
    parts = class_path.split(".")
    for depth in range(1, len(parts)):
        owner = ".".join(parts[:depth])
        try:
            module = import_module(owner)
        except ImportError:
            return None
        if hasattr(module, parts[depth]) or parts[depth] in _submodules(module):
            continue
        names = [name for name in (*dir(module), *_submodules(module)) if not name.startswith("_")]
        near = difflib.get_close_matches(parts[depth], names, n=1)
        return ".".join([owner, *near, *parts[depth + 1 :]]) if near else None
    return None


def _found(class_path: str) -> Any:
    module, _, name = class_path.rpartition(".")
    return getattr(import_module(module), name)


def _submodules(module: ModuleType) -> list[str]:
    return [found.name for found in pkgutil.iter_modules(getattr(module, "__path__", []))]
