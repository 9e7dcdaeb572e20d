"""Checkpoints read with care."""

import zipfile
from pathlib import Path
from typing import Any

import torch

from lit_medseg.errors import CheckpointError


def read_checkpoint(path: Path) -> dict[str, Any]:
    """Read a checkpoint without running code from it; its tensors stay on the disk until they are used.

    Args:
        path: A file that `fit` wrote.

    Raises:
        CheckpointError: No such file, or no checkpoint.
    """
    todo = "Mend the path, or run fit first"
    if not path.is_file():
        raise CheckpointError(f"{path}: no such checkpoint, expected a file, got none. {todo}.")
    if not zipfile.is_zipfile(path):  # torch's own text speaks of its options
        got = f"{path.stat().st_size} bytes of something else"
        raise CheckpointError(
            f"{path}: torn or no checkpoint, expected a whole file that fit wrote, got {got}. {todo}."
        )
    try:
        content = torch.load(path, map_location="cpu", weights_only=True, mmap=True)
    except Exception as error:  # torch's reader fails on foreign bytes with whatever its parts happen to raise
        text = (str(error) or type(error).__name__).splitlines()[0].rstrip(". ")
        raise CheckpointError(
            f"{path}: cannot be read, expected a checkpoint that fit wrote, got: {text}. {todo}."
        ) from error
    if not isinstance(content, dict) or "state_dict" not in content:
        raise CheckpointError(
            f"{path}: no checkpoint, expected the key 'state_dict', got {type(content).__name__} without it. {todo}."
        )
    return content
