"""Files that are there whole or not at all."""

import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """Write a file under another name beside it, and rename it when it is whole.

    A kill, an error or a full disk leaves an earlier file of that name as it was.

    Args:
        path: The file; its folder is made if need be.

    Yields:
        The temporary name, hidden, with the same endings.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    endings = ".nii.gz" if path.name.lower().endswith(".nii.gz") else path.suffix
    half = path.with_name(f".{uuid.uuid4().hex}.half{endings}")
    try:
        yield half
        with half.open("rb") as file:
            os.fsync(file.fileno())
        half.replace(path)
    finally:
        half.unlink(missing_ok=True)
