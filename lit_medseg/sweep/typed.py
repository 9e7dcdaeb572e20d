"""Values of a YAML by key, seen to be of the right type."""

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lit_medseg.errors import ConfigError, expected_got


@dataclass(frozen=True)
class Fields:
    """The values of one dictionary.

    Attributes:
        where: Dotted key of the dictionary; empty for the top.
        plain: The dictionary.
    """

    where: str
    plain: Mapping[str, Any]

    def text(self, key: str) -> str:
        """Give a text.

        Raises:
            ConfigError: It is missing or none.
        """
        value = self.plain.get(key)
        if not isinstance(value, str) or not value:
            raise self._fault(key, "a text")
        return value

    def one_of(self, key: str, allowed: Sequence[str], default: str) -> str:
        """Give one of some words.

        Raises:
            ConfigError: It is another.
        """
        value = self.plain.get(key, default)
        if value not in allowed:
            raise self._fault(key, f"one of {[*allowed]}")
        return str(value)

    def integer(self, key: str, default: int, least: int) -> int:
        """Give a whole number.

        Raises:
            ConfigError: It is none, or too small.
        """
        value = self.plain.get(key, default)
        if isinstance(value, bool) or not isinstance(value, int) or value < least:
            raise self._fault(key, f"a whole number, {least} or more")
        return value

    def number(self, key: str) -> float:
        """Give a number.

        Raises:
            ConfigError: It is none. YAML 1.1 takes `1e-3` for a text: that is understood all the same.
        """
        value = self.plain.get(key)
        try:
            number = float("nan") if isinstance(value, bool | None) else float(value)
        except (TypeError, ValueError, OverflowError):
            number = float("nan")
        if not abs(number) < float("inf"):
            raise self._fault(key, "a number")
        return number

    def mapping(self, key: str, required: bool = False) -> dict[str, Any]:
        """Give a dictionary; an empty one where there is none.

        Raises:
            ConfigError: It is something else, or is missing although it is required.
        """
        value = self.plain.get(key)
        if value is None and not required:
            return {}
        if not isinstance(value, dict) or (required and not value) or not all(isinstance(name, str) for name in value):
            raise self._fault(key, "a dictionary")
        return value

    def items(self, key: str) -> list[Any]:
        """Give a list; an empty one where there is none.

        Raises:
            ConfigError: It is something else.
        """
        value = self.plain.get(key) or []
        if not isinstance(value, list):
            raise self._fault(key, "a list")
        return value

    def _fault(self, key: str, expected: str) -> ConfigError:
        where = f"{self.where}.{key}" if self.where else key
        got = repr(self.plain[key])[:200] if key in self.plain else "nothing"
        return ConfigError(expected_got(where, "unusable value", expected, got, "Correct it"))


def known_keys(where: str, plain: Mapping[str, Any], known: Sequence[str]) -> None:
    """Refuse a key that means nothing.

    Raises:
        ConfigError: The first such key, with the nearest that exists.
    """
    for key in plain:
        if key not in known:
            named = [one for one in known if one.endswith(f".{key}")]  # as reports shorten it
            near = named or difflib.get_close_matches(str(key), known, n=1, cutoff=0.0)
            todo = f"Did you mean {near[0]!r}? Mend the key" if near else "Take it out"
            at = f"{where}.{key}" if where else key
            expected = f"one of {[*known]}" if known else "none"
            raise ConfigError(expected_got(at, "unknown key", expected, repr(key), todo))
