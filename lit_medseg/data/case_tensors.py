"""Masks and labels as the batch wants them."""

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor


def mask_tensor(mask: NDArray[Any], overlapping: bool) -> Tensor:
    """Give uint8 codes `(*S)`, or planes `(K, *S)` of overlapping classes; the array is copied.

    Args:
        mask: uint8 `(1, *S)` or `(K, *S)`.
        overlapping: Whether the first axis counts classes.
    """
    return torch.from_numpy(np.array(mask if overlapping else mask[0], dtype=np.uint8, order="C"))


def label_tensor(label: int | tuple[int, ...]) -> Tensor:
    """Give the int64 class code `()`, or the 0 and 1 `(K,)` of overlapping classes."""
    return torch.tensor(label, dtype=torch.int64)
