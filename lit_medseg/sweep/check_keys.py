"""Which keys of an experiment a sweep may set, and that each has one source."""

from collections.abc import Iterator, Mapping
from typing import Any

from lit_medseg.errors import ConfigError, expected_got
from lit_medseg.sweep.parameter import Parameter

_OWN = (
    "config", "experiment", "run", "runs_dir", "resume", "ckpt_path", "parent_run", "parent_pid", "tags", "tracking",
    "allow_changes", "trainer.fast_dev_run", "trainer.logger",
)  # fmt: skip
"""A sweep gives these to each of its runs."""


def check_keys(space: tuple[Parameter, ...], fixed: Mapping[str, Any]) -> None:
    """Refuse keys that are a sweep's own, and values that another one would replace unseen.

    Args:
        space: The parameters, in the order in which they are set.
        fixed: Values by dotted key, set before them.

    Raises:
        ConfigError: The first such key.
    """
    for where, key in _all(space, fixed):
        _check_key(where, key)
    twice = sorted({key for parameter in space for key in parameter.keys} & set(fixed))
    if twice:
        todo = "Take it out of one of them"
        raise ConfigError(expected_got("fixed", "is searched too", "keys outside of space", twice, todo))
    for number, later in enumerate(space):
        _check_fixed(later, fixed)
        for earlier in space[:number]:
            if _may_meet(earlier, later):
                _check_pair(earlier, later)


def _all(space: tuple[Parameter, ...], fixed: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for parameter in space:
        for key in parameter.keys:
            yield f"space.{parameter.name}", key
    for key in fixed:
        yield f"fixed.{key}", key


def _check_key(where: str, key: str) -> None:
    if not all(key.split(".")):
        todo = "Write names with one dot between them"
        raise ConfigError(expected_got(where, "no key of an experiment", "a dotted key", repr(key), todo))
    if key in _OWN or key.startswith("tags."):
        todo = "Leave it out, or give it on the command line where `sweep --help` lists it"
        raise ConfigError(expected_got(where, "the sweep itself sets it", "a key of what is trained", repr(key), todo))


def _may_meet(one: Parameter, other: Parameter) -> bool:
    """Whether both may matter in one trial: not where they ask for different settings of a third."""
    common = set(one.when) & set(other.when)
    return all(any(setting in other.when[name] for setting in one.when[name]) for name in common)


def _check_pair(earlier: Parameter, later: Parameter) -> None:
    for key in later.keys:
        where = f"space.{later.name}"
        if key in earlier.keys:
            got, todo = f"{earlier.name} and {later.name}", "Take one out, or give both a `when` that keeps them apart"
            raise ConfigError(expected_got(where, f"two parameters set {key}", "one for each key", got, todo))
        within = [one for one in earlier.keys if one.startswith(f"{key}.")]
        if within:
            todo = f"Move {later.name} up, before {earlier.name}"
            what = f"it would replace {within[0]}, which stands before it"
            raise ConfigError(expected_got(where, what, "a whole part before what lies in it", later.name, todo))


def _check_fixed(parameter: Parameter, fixed: Mapping[str, Any]) -> None:
    for key in parameter.keys:
        lost = [one for one in fixed if one.startswith(f"{key}.")]
        if lost:
            where, todo = f"fixed.{lost[0]}", "Put it into each of the choices"
            what = f"space.{parameter.name} would replace it"
            raise ConfigError(expected_got(where, what, "keys outside of what is searched", repr(lost[0]), todo))
