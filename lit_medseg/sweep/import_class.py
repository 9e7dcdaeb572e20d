"""A class by its path, with arguments that it takes."""

import difflib
import inspect
from collections.abc import Mapping
from importlib import import_module
from typing import Any

from lit_medseg.errors import ConfigError, expected_got
from lit_medseg.sweep.plan import ClassPath
from lit_medseg.sweep.typed import Fields, known_keys


def import_class(where: str, path: str) -> Any:
    """Import a class.

    Args:
        where: The key that names it.
        path: Module and name.

    Raises:
        ConfigError: There is none, with the nearest of its module.
    """
    module_name, _, name = path.rpartition(".")
    try:
        module = import_module(module_name)
    except (ImportError, ValueError, TypeError) as error:
        todo = "Correct the path, or install its package"
        todo = todo if module_name else "Give its package too: optuna.samplers.Name"
        raise ConfigError(expected_got(f"{where}.class_path", "no such class", "a path", repr(path), todo)) from error
    found = getattr(module, name, None)
    if not inspect.isclass(found):
        names = [one for one in dir(module) if one[0].isupper()]
        near = difflib.get_close_matches(name, names, n=1, cutoff=0.0)
        todo = f"Did you mean {near[0]!r}? Mend the path" if near else "Mend the path"
        raise ConfigError(
            expected_got(f"{where}.class_path", "no such class", f"one of {module_name}", repr(name), todo)
        )
    return found


def build(where: str, wanted: ClassPath, defaults: Mapping[str, Any] | None = None) -> Any:
    """Make an instance.

    Args:
        where: The key that names it.
        wanted: Class and arguments; an argument may be such a pair itself (the pruner that another one wraps).
        defaults: Arguments where the YAML has none of that name and the class takes them.

    Raises:
        ConfigError: No such class or argument, or a value that the class refuses.
    """
    kind = import_class(where, wanted.path)
    known = inspect.signature(kind).parameters
    for name in wanted.arguments:
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1, cutoff=0.0)
            todo = f"Did you mean {near[0]!r}? Mend the key" if near else "Take it out"
            what = f"unknown key of {wanted.path}"
            raise ConfigError(expected_got(f"{where}.init_args.{name}", what, [*known], repr(name), todo))
    given = {name: _argument(f"{where}.init_args.{name}", value, defaults) for name, value in wanted.arguments.items()}
    arguments = {name: value for name, value in (defaults or {}).items() if name in known} | given
    try:
        return kind(**arguments)
    except (ValueError, TypeError, ImportError) as error:
        got = f"{type(error).__name__}: {' '.join(str(error).split())[:300].rstrip('.')}"
        todo = "Correct init_args"
        raise ConfigError(expected_got(where, "it cannot be built", f"what {wanted.path} takes", got, todo)) from error


def _argument(where: str, value: Any, defaults: Mapping[str, Any] | None) -> Any:
    """Give an argument, built where it is a class by its path."""
    if not isinstance(value, dict) or not isinstance(value.get("class_path"), str):
        return value
    known_keys(where, value, ("class_path", "init_args"))
    return build(where, ClassPath(value["class_path"], Fields(where, value).mapping("init_args")), defaults)
