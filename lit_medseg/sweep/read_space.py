"""Read the search space of a sweep's YAML."""

import json
import math
from collections.abc import Mapping
from typing import Any

from lit_medseg.errors import ConfigError, expected_got
from lit_medseg.sweep.parameter import Choices, Parameter, Range, Setting
from lit_medseg.sweep.typed import Fields, known_keys

_RANGE = ("low", "high", "step", "log", "type")
_KEYS = (*_RANGE, "values", "choices", "keys", "when")


def read_space(plain: Mapping[str, Any]) -> tuple[Parameter, ...]:
    """Read all parameters.

    Args:
        plain: Specifications by dotted key: `{low, high}` with `step`, `log`, `type`; `{values: [...]}`;
            `{choices: {name: part}}`; each with `when: {earlier parameter: setting or settings}`, and with
            `keys: [...]` where the value goes to several keys, or the parameter has another name.

    Raises:
        ConfigError: The first specification that cannot be used.
    """
    found: dict[str, Parameter] = {}
    for name, given in plain.items():
        where = f"space.{name}"
        if not isinstance(given, dict):
            todo = "Write for example {low: 0.1, high: 0.5} or {values: [4, 8]}"
            raise ConfigError(expected_got(where, "no specification", "a dictionary", repr(given), todo))
        known_keys(where, given, _KEYS)
        domain = _domain(where, given)
        found[name] = Parameter(name, _keys(where, given) or (name,), domain, _when(where, given, found, list(plain)))
    return tuple(found.values())


def _keys(where: str, given: Mapping[str, Any]) -> tuple[str, ...]:
    keys = Fields(where, given).items("keys")
    usable = all(isinstance(key, str) for key in keys) and len(set(keys)) == len(keys)
    if not usable or ("keys" in given and not keys):
        todo = "Leave it out where the name is the key"
        raise ConfigError(expected_got(f"{where}.keys", "unusable", "dotted keys, each once", given["keys"], todo))
    return tuple(keys)


def _domain(where: str, given: Mapping[str, Any]) -> Range | Choices:
    kinds = [kind for kind in ("low", "values", "choices") if kind in given]
    if len(kinds) != 1:
        todo = "Give one of the three"
        raise ConfigError(expected_got(where, "no values", "low and high, values, or choices", kinds or "none", todo))
    if kinds[0] != "low":
        own = [key for key in _RANGE if key in given]
        if own:
            todo = f"Take {own[0]} out"
            raise ConfigError(expected_got(where, f"{own[0]} beside {kinds[0]}", "low and high for it", own, todo))
        return _values(where, given["values"]) if kinds[0] == "values" else _choices(where, given)
    return _range(where, given)


def _range(where: str, given: Mapping[str, Any]) -> Range:
    fields = Fields(where, given)
    low, high = fields.number("low"), fields.number("high")
    step = fields.number("step") if given.get("step") is not None else None
    bounds = [given["low"], given["high"], given.get("step", 1)]
    kind = fields.one_of("type", ("float", "int"), "int" if all(type(one) is int for one in bounds) else "float")
    log = given.get("log", False)
    wrong = ""
    if not isinstance(log, bool):
        wrong = "log that is true or false"
    elif low > high:
        wrong = "low up to high"
    elif log and low <= 0:
        wrong = "low above 0 for log"
    elif step is not None and (step <= 0 or log):
        wrong = "step above 0, and none beside log"
    elif step is not None and step > high - low:
        wrong = "a step within the range"
    elif kind == "int" and not all(float(one).is_integer() for one in (low, high, step or 1)):
        wrong = "whole numbers"
    if wrong:
        got = {key: given[key] for key in _RANGE if key in given}
        raise ConfigError(expected_got(where, "no range", wrong, got, "Correct it"))
    if step is not None:
        high = low + step * int((high - low) / step + 1e-9)
    return Range(low, high, step, log, kind == "int")


def _values(where: str, given: Any) -> Choices:
    if not isinstance(given, list) or not given:
        raise ConfigError(expected_got(where, "no values", "a list", repr(given), "Give at least one"))
    values: dict[Setting, Any] = {}
    for value in given:
        if isinstance(value, float) and not math.isfinite(value):
            raise ConfigError(expected_got(where, "no value", "finite numbers", value, "Take it out"))
        plain = value is None or isinstance(value, bool | int | float | str)
        values[value if plain else json.dumps(value, sort_keys=True)] = value
    if len(values) < len(given):
        todo = "Take one out"
        raise ConfigError(expected_got(where, "a value twice", "each once (1, 1.0 and true are one)", given, todo))
    return Choices(values)


def _choices(where: str, given: Mapping[str, Any]) -> Choices:
    named = Fields(where, given).mapping("choices", required=True)
    return Choices({name: named[name] for name in named})


def _when(
    where: str, given: Mapping[str, Any], earlier: Mapping[str, Parameter], names: list[str]
) -> dict[str, tuple[Setting, ...]]:
    condition = Fields(where, given).mapping("when")
    found = {}
    for name, allowed in condition.items():
        if name in names and name not in earlier:
            todo = "Move it up, before this one"
            raise ConfigError(expected_got(f"{where}.when", "it comes later", "an earlier parameter", name, todo))
        known_keys(f"{where}.when", {name: allowed}, tuple(earlier))
        settings = tuple(allowed) if isinstance(allowed, list) else (allowed,)
        if not settings:
            todo = "Name its settings, or take it out"
            raise ConfigError(expected_got(f"{where}.when.{name}", "never true", "one setting or more", "none", todo))
        domain = earlier[name].domain
        if isinstance(domain, Range) and not domain.whole and domain.step is None:
            what, todo = f"{name} is hardly ever exactly this", "Give that parameter values or a step"
            raise ConfigError(expected_got(f"{where}.when", what, "one of a few settings", allowed, todo))
        found[name] = tuple(earlier[name].read(setting, f"{where}.when") for setting in settings)
    return found
