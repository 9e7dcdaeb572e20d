"""Names that MLflow takes: letters of any script, digits, `_`, `-`, `.`, space and `/` between parts."""

import posixpath
import re
import zlib

MAX_KEY_LENGTH = 250
_FORBIDDEN = re.compile(r"[^/\w.\- ]")


def safe_key(name: str) -> str:
    """Turn any text into a key of a metric, parameter or tag that MLflow takes.

    A colon is replaced as well: a server on Windows refuses it. A changed name ends with a checksum of the original, so
    that `T1+` and `T1*` stay two keys.

    Args:
        name: The wished key, with parts separated by `/`.

    Returns:
        `name` itself where it can be used; otherwise a similar key of at most 250 characters. Never empty.
    """
    parts = [part for part in _FORBIDDEN.sub("_", name).split("/") if part not in ("", ".", "..")]
    clean = "/".join(parts) or "_"
    if clean == name and len(name) <= MAX_KEY_LENGTH and posixpath.normpath(name) == name:
        return name
    return f"{clean[: MAX_KEY_LENGTH - 9]}-{zlib.crc32(name.encode()):08x}"
