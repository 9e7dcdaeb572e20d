"""What the files of a prediction are called."""

import zlib
from pathlib import Path
from urllib.parse import quote

_LONGEST = 240
"""Characters of a file's name; the common limit is 255 bytes with its ending."""


def case_file(case_id: str, ending: str) -> Path:
    """Turn a case id into a file below the folder, one to one; slashes stay folders, a way upwards does not.

    Args:
        case_id: Any text.
        ending: Such as `.nii.gz`.
    """
    parts = [folder_name(part) for part in case_id.split("/") if part]
    return Path(*parts[:-1], f"{parts[-1]}{ending}")


def folder_name(text: str) -> str:
    """Turn any text into one name that a file system takes; one that is too long is cut and ends with a checksum."""
    name = quote(text, safe=" ") if text.strip(".") else text.replace(".", "%2E")
    return name if len(name) <= _LONGEST else f"{name[: _LONGEST - 9]}-{zlib.crc32(text.encode()):08x}"
