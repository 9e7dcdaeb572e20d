"""One dimension of a search space: which values it takes, where they go, and when it matters."""

import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from lit_medseg.errors import ConfigError, expected_got

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution

Setting = bool | int | float | str | None
"""What a study keeps of a value: choices that are more than a plain value are kept by their name."""


@dataclass(frozen=True)
class Range:
    """Numbers between two bounds, both included.

    Attributes:
        low: The least.
        high: The greatest.
        step: Distance of two values; None for any number.
        log: Whether the logarithm is drawn evenly.
        whole: Integers alone.
    """

    low: float
    high: float
    step: float | None = None
    log: bool = False
    whole: bool = False

    def distribution(self) -> "BaseDistribution":
        """Say it in optuna's words."""
        from optuna.distributions import FloatDistribution, IntDistribution  # noqa: PLC0415 (`--help` is instant)

        if self.whole:
            return IntDistribution(int(self.low), int(self.high), log=self.log, step=int(self.step or 1))
        return FloatDistribution(self.low, self.high, log=self.log, step=self.step)

    def value(self, setting: Setting) -> Any:
        """Give the value that an experiment gets."""
        return setting

    @staticmethod
    def read(given: Any) -> float:
        """Give the number that is meant, whole where it can be.

        Raises:
            ValueError: It is none.
            TypeError: The same.
        """
        if isinstance(given, bool):
            raise TypeError("true and false are no numbers")
        return given if isinstance(given, int) else float(given)

    def examples(self) -> list[Setting]:
        """Give the values that are tried on the experiment before the first trial: the bounds."""
        return [self.low, self.high]


@dataclass(frozen=True)
class Choices:
    """One of several values.

    Attributes:
        values: By the name that the study keeps: plain values are their own names, whole parts of an experiment (a
            network, a loss, a list) have one.
    """

    values: dict[Setting, Any]

    def distribution(self) -> "BaseDistribution":
        """Say it in optuna's words."""
        from optuna.distributions import CategoricalDistribution  # noqa: PLC0415 (`--help` is instant)

        return CategoricalDistribution(tuple(self.values))

    def value(self, setting: Setting) -> Any:
        """Give the value that an experiment gets."""
        return self.values[setting]

    def examples(self) -> list[Setting]:
        """Give the values that are tried on the experiment before the first trial: all."""
        return list(self.values)


@dataclass(frozen=True)
class Parameter:
    """One dimension.

    Attributes:
        name: As the study and all tables call it: the dotted key, or a name of the user's choice.
        keys: Dotted keys of the experiment that get the value.
        domain: The values.
        when: The settings of earlier parameters with which it matters; empty for always.
    """

    name: str
    keys: tuple[str, ...]
    domain: Range | Choices
    when: dict[str, tuple[Setting, ...]] = field(default_factory=dict)

    def matters(self, settings: Mapping[str, Setting]) -> bool:
        """Tell whether it matters beside the settings of the earlier parameters."""
        return all(name in settings and settings[name] in allowed for name, allowed in self.when.items())

    def read(self, given: Any, where: str) -> Setting:
        """Give a setting as the study has it: YAML 1.1 takes `1e-3` for a text.

        Raises:
            ConfigError: This parameter cannot have it.
        """
        distribution, setting = self.domain.distribution(), given
        with suppress(ValueError, TypeError, OverflowError):
            if isinstance(self.domain, Range):
                setting = self.domain.read(given)
            if distribution._contains(distribution.to_internal_repr(setting)):
                found: Setting = setting
                return found
        what = f"{self.name} cannot be this"
        raise ConfigError(expected_got(where, what, self.words(), repr(given), "Correct it"))

    def words(self) -> str:
        """Say which values there are, in a few words."""
        if isinstance(self.domain, Choices):
            return f"one of {[*self.domain.values]}"
        steps = "" if self.domain.step is None else f" in steps of {self.domain.step:g}"
        return f"{self.domain.low:g} to {self.domain.high:g}{steps}{', logarithmic' if self.domain.log else ''}"


def plain_space(space: tuple[Parameter, ...]) -> dict[str, Any]:
    """Write a search space as plain data, for comparison and for people."""
    return {parameter.name: _plain(parameter) for parameter in space}


def _plain(parameter: Parameter) -> dict[str, Any]:
    domain = parameter.domain
    if isinstance(domain, Range):
        plain: dict[str, Any] = {"low": domain.low, "high": domain.high, "step": domain.step, "log": domain.log}
    else:
        plain = {"choices": {json.dumps(name): value for name, value in domain.values.items()}}
    when = {name: list(allowed) for name, allowed in parameter.when.items()}
    return {**plain, "keys": list(parameter.keys), "when": when}


def changes_of(space: tuple[Parameter, ...], settings: Mapping[str, Setting]) -> dict[str, Any]:
    """Give what a trial changes in the experiment.

    Args:
        space: The parameters, in their order.
        settings: A trial's, by the parameters' names.

    Returns:
        Values by dotted key. Whole parts come before the values within them, since the space has them first.
    """
    return {
        key: parameter.domain.value(settings[parameter.name])
        for parameter in space
        if parameter.name in settings
        for key in parameter.keys
    }
