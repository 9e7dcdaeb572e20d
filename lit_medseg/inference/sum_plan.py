"""Where the sums of a sliding window go, and in how many bits."""

import logging
import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch

from lit_medseg.errors import ConfigError, expected_got
from lit_medseg.inference.fixed_point_sum import FixedPointSum
from lit_medseg.inference.free_memory import memory_limit_bytes
from lit_medseg.inference.rolling_sum import FloatSum, RollingSum
from lit_medseg.inference.window_grid import WindowGrid

CHUNK_BYTES = 32 * 2**20
"""What is beside the sums and the windows' logits: finished parts on their way to labels or probabilities."""
_LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class SumPlan:
    """What may be chosen from.

    Attributes:
        devices: In order of preference.
        half: True for 16 bits, False for 32, None for 16 only where 32 do not fit on any of the devices.
        limit_gib: Most memory that the sums and a window's logits may take; None for a share of what is free.
        exclusive: See `FixedPointSum`.
    """

    devices: tuple[torch.device, ...]
    half: bool | None
    limit_gib: float | None
    exclusive: bool

    def build(self, channels: int, grid: WindowGrid) -> tuple[RollingSum, int]:
        """Take the memory of the first choice that fits.

        Args:
            channels: K of the logits.
            grid: Where the windows lie.

        Returns:
            The sums, and how many windows' logits the limit holds beside them, at least 1.

        Raises:
            ConfigError: Nothing fits.
        """
        layer = list(grid.image)
        layer[grid.axis] = grid.patch[grid.axis]
        numbers, window_bytes = channels * math.prod(layer), 4 * channels * math.prod(grid.patch)
        limits = [(device, memory_limit_bytes(self.limit_gib, device)) for device in self.devices]
        for bits in (32, 16) if self.half is None else (16,) if self.half else (32,):
            for device, limit in limits:
                room = limit - numbers * bits // 8 - CHUNK_BYTES
                if room < window_bytes:
                    continue
                if bits == 16 and self.half is None:
                    _LOG.warning("sliding window: 16 bits a class, since 32 exceed the memory limit")
                return self._sums(bits, (channels, *layer), grid, device), room // window_bytes
        least = numbers * (4 if self.half is False else 2) + CHUNK_BYTES + window_bytes
        amounts = f"at least {least / 2**30:.3f} GiB", f"{max(limit for _, limit in limits) / 2**30:.3f} GiB"
        todo = "Raise memory_limit_gib, set half: true, or take windows that are thinner along the image's longest side"
        raise ConfigError(expected_got("sliding window", "too little memory", *amounts, todo))

    def _sums(self, bits: int, shape: Sequence[int], grid: WindowGrid, device: torch.device) -> RollingSum:
        if bits == 16:
            return FixedPointSum(shape, grid, device, self.exclusive)
        return FloatSum(shape, grid, device)
