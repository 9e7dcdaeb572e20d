"""Command lines that may be shown: without the names of people and of their folders."""

import shlex
from collections.abc import Sequence
from pathlib import Path

from lit_medseg.tracking.store import shown_uri


def without_paths(arguments: Sequence[str], folder: Path) -> str:
    """Write a command line with relative paths alone.

    Args:
        arguments: As the program got them.
        folder: The working folder: what lies below it is written relative to it, of all else the last part.

    Returns:
        One line that a shell reads again; the password of an address is left out.
    """
    return shlex.join(_shown(argument, folder) for argument in arguments)


def _shown(argument: str, folder: Path) -> str:
    head, mark, place = argument.partition("://")
    key, equals, value = head.rpartition("=")  # not of the whole: a password may have a `=`, and follows one
    value += mark + place
    if "://" in value or value.startswith("sqlite:"):
        value = shown_uri(value)
    elif value.startswith(("/", "~")):
        path = Path(value).expanduser()
        value = path.relative_to(folder).as_posix() if path.is_relative_to(folder) else f".../{path.name}"
    return f"{key}{equals}{value}"
