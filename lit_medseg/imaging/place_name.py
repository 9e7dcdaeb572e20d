"""What errors call a file: no folders of this machine, no DICOM identifiers."""

import re
from pathlib import Path

UNIQUE_ID = re.compile(r"\d+(?:\.\d+){5,}")


def place_name(path: Path, key: str = "", index: int | None = None) -> str:
    """Name the place of an array as a person would: `file`, `file:key`, `file:key[7]`.

    Args:
        path: File or folder; an absolute one is named without its folder.
        key: Name of the array, series or segment within it.
        index: Row or channel of that array.

    Returns:
        The name; a DICOM unique identifier in it (scanners name files so) is shortened to `(id)` with the number of
        its last part, which tells files of one series apart and is no identifier.
    """
    text = path.name if path.is_absolute() else path.as_posix()
    text = f"{text}:{key}" if key else text
    text = without_identifiers(text)
    return text if index is None else f"{text}[{index}]"


def without_identifiers(text: str) -> str:
    """Shorten every DICOM unique identifier in a text to `(id)` with the number of its last part."""
    return UNIQUE_ID.sub(lambda found: f"(id).{found[0].rsplit('.', 1)[1][-4:]}", text)
