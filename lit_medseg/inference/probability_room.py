"""Where the probabilities of a whole case are kept until they are decided."""

import math
import os
import tempfile
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

MOST_IN_MEMORY = 2**31
"""Bytes of float32; a hundred classes of a large scan go to a temporary file, in half precision."""


def probability_room(shape: Sequence[int], stored: type[np.floating[Any]] = np.float16) -> Tensor:
    """Make room for probabilities, on the CPU.

    The dtype follows from the shape alone, never from what memory is free: results are the same on every machine.

    Args:
        shape: `(B, channels, *S)`.
        stored: What a file holds; float32 for sums, which half precision would round again and again.

    Returns:
        Uninitialised float32 in memory, or `stored` (float16: a rounding of at most 1/4096) over a nameless file,
        which goes with the tensor.

    Raises:
        OSError: The temporary folder has no room.
    """
    if math.prod(shape) * 4 <= MOST_IN_MEMORY:
        return torch.empty(tuple(shape))
    with tempfile.TemporaryFile() as file:  # the mapping keeps the file after it is closed
        if hasattr(os, "posix_fallocate"):
            # writing to a mapped file that the disk has no room for would kill the process
            os.posix_fallocate(file.fileno(), 0, math.prod(shape) * np.dtype(stored).itemsize)
        return torch.from_numpy(np.memmap(file, stored, "w+", shape=tuple(shape)))
