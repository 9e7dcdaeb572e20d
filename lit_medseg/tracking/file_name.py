"""Names of files made from names of cases."""

import re
import zlib

_FORBIDDEN = re.compile(r"[^A-Za-z0-9._-]")


def file_name(case_id: str) -> str:
    """Turn a case id into the stem of a file name that every system takes.

    Args:
        case_id: Any text, also a path.

    Returns:
        The id itself where it can be used; otherwise a similar name with a checksum of the id. At most 100 characters.
    """
    clean = _FORBIDDEN.sub("_", case_id).lstrip(".")
    if clean == case_id and 0 < len(clean) <= 100:
        return case_id
    return f"{clean[-91:]}-{zlib.crc32(case_id.encode()):08x}"
