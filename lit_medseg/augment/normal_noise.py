"""Gaussian noise that is the same on every device."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor

_MASK = 0xFFFFFFFF


def normal_noise(shape: Sequence[int], seed: int, device: torch.device) -> Tensor:
    """Draw standard normal numbers from a counter: torch's own streams differ between devices and versions.

    Sources: Box, Muller 1958, doi:10.1214/aoms/1177706645; the hash of the counter is `lowbias32` of
    C. Wellons 2018 (hash-prospector), applied twice with the two halves of the seed.

    Args:
        shape: Of the result.
        seed: 0 to 2**63 - 1; another seed is another stream.
        device: Where the result is.

    Returns:
        float32, between -5.9 and 5.9; equal on all devices to rounding.
    """
    count = math.prod(shape)
    half = (count + 1) // 2
    bits = torch.arange(2 * half, dtype=torch.int64, device=device)
    bits = _hashed(_hashed(bits.bitwise_xor_(seed & _MASK)).bitwise_xor_(seed >> 32))
    uniform = (bits >> 8).to(torch.float32).add_(0.5).mul_(2.0**-24)
    radius = uniform[:half].log_().mul_(-2).sqrt_()
    angle = uniform[half:].mul_(2 * math.pi)
    return torch.cat([angle.cos().mul_(radius), angle.sin_().mul_(radius)])[:count].view(*shape)


def _hashed(bits: Tensor) -> Tensor:
    """Mix 32 bits, held in int64, in place."""
    for shift, factor in ((16, 0x7FEB352D), (15, 0x846CA68B)):
        bits.bitwise_xor_(bits >> shift).mul_(factor).bitwise_and_(_MASK)
    return bits.bitwise_xor_(bits >> 16)
