"""Values of nested settings by dotted keys, and the YAML of a base experiment with all that it includes."""

import copy
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from lit_medseg.errors import ConfigError, expected_got
from lit_medseg.sweep.strict_yaml import load_strictly

_YAML = (".yaml", ".yml")


def read_yaml(path: Path, what: str) -> dict[str, Any]:
    """Read a YAML of keys and values.

    Args:
        path: The file.
        what: The key or argument that names it, for the fault's text.

    Raises:
        ConfigError: No such file, or no such YAML.
    """
    try:
        plain = load_strictly(path.read_text(encoding="utf-8"))
    except OSError as error:
        fault = "no such file" if isinstance(error, FileNotFoundError) else "it cannot be read"
        got = path.name if isinstance(error, FileNotFoundError) else f"{path.name}, {error.strerror or error}"
        raise ConfigError(expected_got(what, fault, "a YAML", got, "Correct the path")) from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        got = " ".join(str(error).replace('in "<unicode string>", ', "at ").split())[:300]
        todo = "Write keys and values"
        raise ConfigError(expected_got(f"{what} {path.name}", "not a YAML", "keys and values", got, todo)) from error
    if not isinstance(plain, dict) or not all(isinstance(key, str) for key in plain):
        todo = "Write keys and values"
        raise ConfigError(expected_got(f"{what} {path.name}", "no settings", "keys and values", plain, todo))
    return plain


def read_experiment(path: Path, within: tuple[Path, ...] = ()) -> dict[str, Any]:
    """Read the YAML of an experiment; where a key names another YAML (`trainer: cpu.yaml`), that is put in its place.

    Args:
        path: The file.
        within: The files that this one is a part of.

    Raises:
        ConfigError: One of the files cannot be read, or is a part of itself.
    """
    if path.resolve() in within:
        raise ConfigError(
            expected_got("experiment", "a YAML names itself", "another file", path.name, "Name the experiment's")
        )
    plain = read_yaml(path, "experiment")
    for key, value in plain.items():
        if isinstance(value, str) and value.endswith(_YAML) and (path.parent / value).is_file():
            plain[key] = read_experiment(path.parent / value, (*within, path.resolve()))
    return plain


def changed(base: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """Give settings with some values put in place of what was there; a whole part replaces a whole part.

    Args:
        base: Nested settings; left as they are.
        changes: Values by dotted key, in the order in which they are set. A number counts in a list.

    Raises:
        ConfigError: A key leads through something that has no keys.
    """
    result: dict[str, Any] = copy.deepcopy(dict(base))
    for key, value in changes.items():
        _set(result, key, copy.deepcopy(value))
    return result


def _set(settings: Any, key: str, value: Any) -> None:
    *path, last = key.split(".")
    level = settings
    for depth, part in enumerate(path):
        level = _step(level, part, key, depth, [*path, last][depth + 1].isdecimal())
    if isinstance(level, list):
        level[_index(level, last, key)] = value
    else:
        level[last] = value


def _step(level: Any, part: str, key: str, depth: int, below_is_item: bool) -> Any:
    """Go one level down, making one that is not there yet."""
    if isinstance(level, list):
        below = level[_index(level, part, key)]
    else:
        if level.get(part) is None:
            if below_is_item:
                at = ".".join(key.split(".")[: depth + 1])
                todo = "Give the list in the experiment"
                raise ConfigError(expected_got(key, f"{at} is no list", "a list with this item", "nothing", todo))
            level[part] = {}
        below = level[part]
    if not isinstance(below, dict | list):
        at = ".".join(key.split(".")[: depth + 1])
        todo = "Correct the key, or give class_path and init_args in the experiment"
        raise ConfigError(expected_got(key, f"{at} has no keys", "a dictionary or a list", repr(below), todo))
    return below


def _index(items: list[Any], part: str, key: str) -> int:
    if part.isdecimal() and int(part) < len(items):
        return int(part)
    raise ConfigError(expected_got(key, "no such item", f"0 to {len(items) - 1}", repr(part), "Correct the number"))
