"""A YAML in which no key stands twice: the plain reader keeps the last one and says nothing."""

from collections.abc import Hashable
from typing import Any

import yaml


class _Strict(yaml.SafeLoader):
    """Refuses what the plain reader drops."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        seen: set[tuple[str, str]] = set()
        for key, _ in node.value:
            name = (key.tag, key.value) if isinstance(key, yaml.ScalarNode) else ("", "")
            if name in seen:
                raise yaml.constructor.ConstructorError(None, None, f"the key {key.value!r} twice", key.start_mark)
            if key.tag != "tag:yaml.org,2002:merge" and name[1]:
                seen.add(name)
        return super().construct_mapping(node, deep)


def load_strictly(text: str) -> Any:
    """Read a YAML.

    Args:
        text: Of plain values alone.

    Raises:
        yaml.YAMLError: It is none, or a dictionary has a key twice.
    """
    return yaml.load(text, _Strict)
