"""Means over an epoch that a checkpoint within it can hold."""

from collections.abc import Mapping, Sequence
from typing import Any, Self

import torch
import torch.distributed as dist
from torch import Tensor


class RunningMeans:
    """Sums of values and of the samples that they stand for; nothing waits for the device before the epoch's end.

    Sums are float64 (float32 where the device has no such numbers): the mean over all samples of all ranks is exact to
    rounding, whatever their shares of them.
    """

    def __init__(self) -> None:
        self._sums: dict[str, Tensor] = {}
        self._count = 0

    def add(self, values: Mapping[str, Tensor], count: int) -> None:
        """Add the means over some samples.

        Args:
            values: Scalars by name; the same names at every call.
            count: Samples.
        """
        for name, value in values.items():
            weighted = _wide(value.detach()) * count
            self._sums[name] = self._sums[name] + weighted if name in self._sums else weighted
        self._count += count

    def means(self) -> dict[str, float]:
        """Give the means over the samples of all ranks; every rank calls this. Empty for no samples."""
        if not self._sums:
            return {}
        totals = torch.stack([*self._sums.values(), torch.full_like(next(iter(self._sums.values())), self._count)])
        if dist.is_available() and dist.is_initialized():
            dist.all_reduce(totals)
        *sums, count = totals.tolist()
        return {name: total / count for name, total in zip(self._sums, sums, strict=True)}

    def plain(self) -> dict[str, Any]:
        """Give the sums of this rank as plain data."""
        return {"sums": {name: float(value) for name, value in self._sums.items()}, "count": self._count}

    @classmethod
    def of_rank(cls, ranks: Sequence[dict[str, Any]], rank: int) -> Self:
        """Take over the sums of an earlier attempt.

        Args:
            ranks: What `plain` gave on each of its ranks.
            rank: This process; there may be another number of ranks now, and then the first one takes all sums.
        """
        found = cls()
        world_size = dist.get_world_size() if dist.is_available() and dist.is_initialized() else 1
        if len(ranks) == world_size:
            mine = [ranks[rank]]
        else:
            mine = list(ranks) if rank == 0 else [{"sums": dict.fromkeys(ranks[0]["sums"], 0.0), "count": 0}]
        for part in mine:
            for name, value in part["sums"].items():
                before = found._sums.get(name, torch.zeros((), dtype=torch.float64))
                found._sums[name] = before + value
            found._count += part["count"]
        return found


def _wide(value: Tensor) -> Tensor:
    return value.float() if value.device.type == "mps" else value.double()
