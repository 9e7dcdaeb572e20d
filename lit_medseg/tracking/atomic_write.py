"""Replace a file as a whole: a reader sees the old text or the new one, never half of it."""

import os
import tempfile
from pathlib import Path


def write_atomically(path: Path, data: str | bytes) -> None:
    """Write a temporary sibling, force it to the disk and rename it over the target.

    Args:
        path: The file to write; its folder is made if need be.
        data: The whole new content; text is written as UTF-8.

    Raises:
        OSError: The disk is full or the folder cannot be written; an earlier file stays as it was.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    content = data.encode() if isinstance(data, str) else data
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        Path(name).chmod(0o644)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
