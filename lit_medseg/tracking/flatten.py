"""Nested settings as flat ones."""

from collections.abc import Mapping, Sequence
from typing import Any


def flatten(nested: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Join the keys of nested mappings with `/`, and number the entries of lists that hold mappings.

    Args:
        nested: Mappings, lists and plain values.
        prefix: Put before each key.

    Returns:
        Plain values by joined key, in the order of the input; an empty mapping stays as `{}`.
    """
    flat: dict[str, Any] = {}
    for name, value in nested.items():
        key = f"{prefix}{name}"
        if isinstance(value, Mapping) and value:
            flat.update(flatten(value, f"{key}/"))
        elif isinstance(value, Sequence) and not isinstance(value, str) and any(isinstance(v, Mapping) for v in value):
            flat.update(flatten({str(index): entry for index, entry in enumerate(value)}, f"{key}/"))
        else:
            flat[key] = value
    return flat
