"""Which files of a folder are images."""

from pathlib import Path

from lit_medseg.errors import DataError, expected_got
from lit_medseg.imaging.read_array import READABLE_ENDINGS


def image_files(folder: Path, name: str, deep: bool = False) -> list[Path]:
    """List the readable images of a folder; hidden files and other endings are left out.

    Args:
        folder: Where to look.
        name: What errors call the folder (relative to the data set's root).
        deep: Also in the folders below.

    Returns:
        Files, sorted by path; empty where the folder has none.

    Raises:
        DataError: The folder is missing.
    """
    if not folder.is_dir():
        todo = "Correct the folder's name in the YAML"
        raise DataError(expected_got(name, "the folder is missing", "a folder", "nothing there", todo))
    found = folder.rglob("*") if deep else folder.iterdir()
    return sorted(file for file in found if _is_image(file.relative_to(folder)) and file.is_file())


def _is_image(path: Path) -> bool:
    return path.suffix.lower() in READABLE_ENDINGS and not any(part.startswith(".") for part in path.parts)
