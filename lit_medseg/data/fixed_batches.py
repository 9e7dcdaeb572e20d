"""Batches that stand before the loader is made."""

from collections.abc import Iterator, Sequence
from typing import Any

from torch.utils.data import BatchSampler


class FixedBatches(BatchSampler):
    """Gives these batches in this order.

    `predict` of Lightning makes a batch sampler anew with a `sampler` and a `drop_last` of its choice, to note indices;
    it warns of classes that do not take them. Here they change nothing.

    Args:
        batches: Case indices by batch; may be empty.
        sampler: Ignored.
        drop_last: Ignored.
    """

    def __init__(self, batches: Sequence[list[int]], sampler: Any = None, drop_last: bool = False) -> None:
        del sampler, drop_last
        self.batches = [list(batch) for batch in batches]

    def __iter__(self) -> Iterator[list[int]]:
        """Give the batches."""
        yield from self.batches

    def __len__(self) -> int:
        """Count the batches."""
        return len(self.batches)
