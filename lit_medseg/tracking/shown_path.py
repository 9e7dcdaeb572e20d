"""A path as the user may type it."""

from pathlib import Path


def shown_path(path: Path) -> Path:
    """Write a path relative to the working folder where it lies below it, else as it is."""
    absolute = path.absolute()
    return absolute.relative_to(Path.cwd()) if absolute.is_relative_to(Path.cwd()) else path
