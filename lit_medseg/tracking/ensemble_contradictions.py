"""Why two checkpoints cannot decide together."""

from collections.abc import Iterator, Mapping
from typing import Any


def ensemble_contradictions(first: Mapping[str, Any], other: Mapping[str, Any]) -> Iterator[tuple[str, Any, Any]]:
    """Compare what the members of an ensemble have to share.

    Fitted preprocessing, networks and the cases that they were trained on may differ.

    Args:
        first: Card of a checkpoint.
        other: Card of another.

    Yields:
        What differs, the first one's and the other's.
    """
    for what, read in _SHARED:
        expected, got = read(first), read(other)
        if expected != got:
            yield what, expected, got


def _target(card: Mapping[str, Any]) -> str:
    target = card["data"]["target"]
    return f"{target['coding']}{target['names']}"


def _values(card: Mapping[str, Any]) -> dict[str, Any]:
    """Give what files call the classes: predictions have these values."""
    truth = card["data"]["truth"]
    return dict(truth["masks"] or truth["labels"] or [])


def _axes(card: Mapping[str, Any]) -> int | None:
    axes: int | None = card["data"].get("axes")
    return axes


def _studies(card: Mapping[str, Any]) -> dict[str, Any]:
    """Give what new studies have to look like; the salt only blinds names."""
    return {key: value for key, value in card.get("studies", {}).items() if key != "salt"}


_SHARED = (
    ("task", lambda card: card["task"]),
    ("classes", _target),
    ("values of the classes", _values),
    ("channels", lambda card: card["data"]["image_channels"]),
    ("axes of the images", _axes),
    ("studies", _studies),
)
