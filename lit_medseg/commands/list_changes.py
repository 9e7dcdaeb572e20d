"""Two configurations compared, in words; without torch, for the parents of folds and sweeps."""

from collections.abc import Mapping, Sequence
from typing import Any

from lit_medseg.tracking.flatten import flatten

_MOST_NAMED = 10
_NOTHING: tuple[Any, ...] = (None, {}, [], "")


def list_changes(earlier: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """List the keys that differ, each with its two values.

    Args:
        earlier: What a run computes, nested.
        now: What it would compute.

    Returns:
        `trainer.max_epochs 3 before, 2 now`, by name of the key. What is not set, null and empty is alike.
    """
    before, after = flatten(earlier), flatten(now)
    return [
        f"{key.replace('/', '.')} {before.get(key, 'not set')} before, {after.get(key, 'not set')} now"
        for key in sorted(before.keys() | after.keys())
        if _plain(before.get(key)) != _plain(after.get(key))
    ]


def shorten(changes: Sequence[str]) -> str:
    """Join what `list_changes` found: the first ten, and how many more there are."""
    more = f"; and {len(changes) - _MOST_NAMED} more" if len(changes) > _MOST_NAMED else ""
    return "; ".join(changes[:_MOST_NAMED]) + more


def _plain(value: Any) -> Any:
    return None if value in _NOTHING else value
