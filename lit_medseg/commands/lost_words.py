"""What the parser would lose silently: empty unknown keys of a YAML, and null within a class on the command line."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import yaml

from lit_medseg.commands.keys_of_class import keys_of_class, keys_of_group
from lit_medseg.errors import ConfigError, expected_got

_NULLS = ("null", "Null", "NULL", "~", "None")


def refuse_null(words: Sequence[str]) -> None:
    """Refuse null for a key within a class: jsonargparse 4.53 makes the text `None` of it.

    Args:
        words: The command line.

    Raises:
        ConfigError: The first such key.
    """
    pairs = [
        word.split("=", 1) if "=" in word else [word, after]
        for word, after in zip(words, [*words[1:], ""], strict=True)
    ]
    for key, value in pairs:
        if key.startswith(("--data.", "--model.")) and value in _NULLS:
            todo = "Write it in the YAML, where null is meant"
            raise ConfigError(expected_got(key, "null cannot be given here", "another value", value, todo))


def refuse_empty_keys(files: Sequence[Any], known: Sequence[str]) -> None:
    """Refuse unknown keys that hold an empty dictionary, which the parser drops before it looks at them.

    Args:
        files: The YAML files of the command, already parsed without a fault.
        known: The dotted keys that the verb takes.

    Raises:
        ConfigError: The first such key.
    """
    top = sorted({name.split(".")[0] for name in known})
    trainer = [name.removeprefix("trainer.") for name in known if name.startswith("trainer.")]
    for file in files:
        plain = yaml.safe_load(Path(str(file)).read_text(encoding="utf-8"))
        found = [*_empty(plain, "", "", top), *_empty(plain.get("trainer"), "trainer", "", trainer)]
        for key, names in found:
            todo = "Mend the key or take it out"
            raise ConfigError(expected_got(key, "unknown key", f"one of {names}", repr(key.rpartition(".")[2]), todo))


def _empty(plain: Any, where: str, class_path: str, names: Sequence[str]) -> Iterator[tuple[str, Sequence[str]]]:
    """Find them level by level; a level whose keys cannot be known is left alone."""
    if isinstance(plain, list):
        for item in plain:
            yield from _empty(item, where, "", ())
    if not isinstance(plain, dict):
        return
    if isinstance(plain.get("class_path"), str):
        path = plain["class_path"]
        yield from _empty(plain.get("init_args"), f"{where}.init_args", path, keys_of_class(path))
        return
    for key, value in plain.items():
        full = f"{where}.{key}" if where else str(key)
        if value == {} and names and key not in names:
            yield full, names
        inner = keys_of_group(class_path, str(key)) if class_path else ()
        yield from _empty(value, full, "", inner)
