"""A parser's complaint as one line that names the key and the nearest right one."""

import difflib
import inspect
import re
from collections.abc import Iterable
from importlib import import_module

from lit_medseg.errors import ConfigError, expected_got

_UNKNOWN_TOP = re.compile(r"does not accept option '([^']+)'")
_UNKNOWN_NESTED = re.compile(r"Option '([^']+)' is not accepted")
_CLASS = re.compile(r"Problem with given class_path '([^']+)'")
_WRONG_VALUE = re.compile(r"Parser key \"([^\"]+)\":\s*(.*)", re.DOTALL)


def parse_fault(message: str, known_keys: Iterable[str]) -> ConfigError:
    """Turn what jsonargparse says into the house form.

    Args:
        message: The text of its `ArgumentError`, usually with one line for every type that a value could have had.
        known_keys: The dotted keys that the verb takes.

    Returns:
        An error that names the key, and for an unknown one the nearest that exists.
    """
    classes = _CLASS.findall(message)
    if found := _UNKNOWN_NESTED.search(message):
        key = found.group(1)
        where = classes[-1] if classes else "configuration"
        return _unknown(where, key.split(".")[0], _arguments_of(where))
    if found := _UNKNOWN_TOP.search(message):
        return _unknown_top(found.group(1), list(known_keys))
    lines = [line.strip(" -") for line in message.splitlines() if line.strip(" -")]
    if found := _WRONG_VALUE.search(message):
        detail = _innermost(lines)
        return ConfigError(f"{_key_of(message)}: {detail} See `python -m lit_medseg VERB --help`.")
    return ConfigError(f"configuration: {' '.join(lines)[:500]}. See `python -m lit_medseg VERB --help`.")


def _unknown_top(key: str, known: list[str]) -> ConfigError:
    """Name the part of a dotted key that is wrong, with what its level has."""
    parts = key.split(".")
    for depth in range(len(parts)):
        stem = ".".join(parts[:depth])
        level = sorted(
            {name.removeprefix(f"{stem}.").split(".")[0] for name in known if not stem or name.startswith(f"{stem}.")}
        )
        if parts[depth] not in level:
            return _unknown(stem or "configuration", parts[depth], level)
    return _unknown("configuration", key, known)


def _unknown(where: str, key: str, known: Iterable[str]) -> ConfigError:
    names = sorted(known)
    near = difflib.get_close_matches(key, names, n=1, cutoff=0.0)
    expected = f"{near[0]!r} or another of {names}" if near else "no such key"
    return ConfigError(expected_got(where, f"unknown key {key!r}", expected, repr(key), "Mend the key"))


def _arguments_of(class_path: str) -> list[str]:
    """List the keys of a class or function; none where it cannot be imported."""
    module, _, name = class_path.rpartition(".")
    try:
        return list(inspect.signature(getattr(import_module(module), name)).parameters)
    except (ImportError, AttributeError, ValueError, TypeError):
        return []


def _key_of(message: str) -> str:
    """Join the keys that lead to the fault, outermost first."""
    keys = re.findall(r"Parser key \"([^\"]+)\"", message)
    parts: list[str] = []
    for key in keys:
        if not parts or key != parts[-1]:
            parts.append(key)
    return ".".join(parts) or "configuration"


def _innermost(lines: list[str]) -> str:
    """Choose the line that says most: the last one about a class, a module or a value."""
    telling = re.compile(
        r"(has no attribute|No module named|Expected|does not exist|Import path|is required|not in|invalid)",
        re.IGNORECASE,
    )
    dull = re.compile(r"(NoneType|Given value type)")
    chosen = [line for line in lines if telling.search(line) and not dull.search(line)]
    text = (chosen or lines)[-1]
    text = re.sub(r"Parser key \"[^\"]+\":\s*", "", text)
    return text if text.endswith(".") else f"{text}."
