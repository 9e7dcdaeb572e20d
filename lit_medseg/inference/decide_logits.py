"""From logits to codes without the probabilities between."""

import torch
from torch import Tensor

from lit_medseg.target import Binary, MultiClass, Target


def decide_logits(logits: Tensor, target: Target) -> Tensor:
    """Decide as `target.decide(target.probabilities(logits))` does.

    Softmax and sigmoid do not change which is larger, so they need neither be computed nor stored; only where a float32
    probability rounds two different logits to one does the larger logit win here.

    Args:
        logits: `(B, channels, *S)`, or any positive multiple of them, of any type.
        target: The coding.

    Returns:
        Binary and exclusive classes `(B, *S)`, overlapping `(B, K, *S)`: uint8, from 257 classes on int16.
    """
    if isinstance(target, MultiClass):
        return _largest(logits)
    planes = (logits > 0).to(torch.uint8)
    return planes[:, 0] if isinstance(target, Binary) else planes


def code_dtype(target: Target) -> torch.dtype:
    """Give the smallest type that holds the codes: uint8 up to 256 classes, else int16."""
    return torch.uint8 if isinstance(target, Binary) or len(target.names) <= 256 else torch.int16


def _largest(logits: Tensor) -> Tensor:
    """Give the channel with the largest value; of equal ones the first."""
    small = torch.uint8 if logits.shape[1] <= 256 else torch.int16
    if logits.device.type != "cpu" or small is torch.int16:
        return logits.argmax(dim=1).to(small)
    # On CPUs torch's argmax over an outer axis is not vectorised: plane by plane it takes a third to a tenth as long.
    best = logits[:, 0].clone()
    codes = torch.zeros(best.shape, dtype=small)
    better = torch.empty(best.shape, dtype=torch.bool)
    as_numbers = better.view(small)
    for number in range(1, logits.shape[1]):
        torch.gt(logits[:, number], best, out=better)
        torch.maximum(logits[:, number], best, out=best)
        torch.maximum(codes, as_numbers.mul_(number), out=codes)
    return codes
