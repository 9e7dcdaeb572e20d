"""One hash for plain data."""

import hashlib
import json
from typing import Any


def plain_hash(plain: Any) -> str:
    """Hash plain data (what JSON can hold), independent of the order of keys.

    Args:
        plain: Mappings, sequences, texts, numbers, None.

    Returns:
        SHA-256 of its canonical JSON, 64 hexadecimal digits.
    """
    text = json.dumps(plain, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(text.encode()).hexdigest()
