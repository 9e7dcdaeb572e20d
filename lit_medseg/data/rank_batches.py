"""Which training samples a rank loads."""

from collections.abc import Hashable, Iterator, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from torch.utils.data import Sampler

from lit_medseg.data.epoch_order import balanced_positions, epoch_positions
from lit_medseg.errors import ConfigError


class SampleKey(NamedTuple):
    """What names a training sample: everything random in it follows from seed, epoch and position."""

    epoch: int
    position: int
    case: int


class RankBatches(Sampler[list[SampleKey]]):
    """One rank's slice of every global batch of an epoch; all ranks have the same number of batches.

    Lightning calls `set_epoch` before each epoch.

    Args:
        cases: Number of training cases.
        batch_size: Over all ranks.
        seed: Of the order.
        rank: This process, from 0.
        world_size: Number of processes.
        repeats: How often the cases are gone through in an epoch.
        labels: Draw so that these (one per case) come equally often; None shuffles.

    Raises:
        ConfigError: The ranks do not divide the batch.
    """

    def __init__(
        self,
        cases: int,
        batch_size: int,
        seed: int,
        rank: int = 0,
        world_size: int = 1,
        repeats: int = 1,
        labels: Sequence[Hashable] | None = None,
    ) -> None:
        check_divides(batch_size, world_size)
        self.cases, self.batch_size, self.seed, self.repeats = cases, batch_size, seed, repeats
        self.share = slice(rank * batch_size // world_size, (rank + 1) * batch_size // world_size)
        self.groups = None if labels is None else _groups(labels)
        self.epoch = 0
        self._start = (0, 0)

    def __len__(self) -> int:
        """Count the batches of a whole epoch."""
        return (self.cases * self.repeats + self.batch_size - 1) // self.batch_size

    def __iter__(self) -> Iterator[list[SampleKey]]:
        """Give this rank's keys, batch by batch."""
        order = self._order()
        first = self._start[1] if self._start[0] == self.epoch else 0
        for batch in range(first, len(order) // self.batch_size):
            positions = range(len(order))[batch * self.batch_size : (batch + 1) * self.batch_size]
            yield [SampleKey(self.epoch, position, int(order[position])) for position in positions[self.share]]

    @property
    def sampler(self) -> "RankBatches":
        """Itself: Lightning calls `set_epoch` on a batch sampler's `sampler`, never on the batch sampler."""
        return self

    def set_epoch(self, epoch: int) -> None:
        """Choose the epoch that the next iteration gives."""
        self.epoch = epoch

    def start_at(self, epoch: int, batches: int) -> None:
        """Choose the epoch, and leave out its first batches: a run goes on there. Later epochs are whole."""
        self.epoch, self._start = epoch, (epoch, batches)

    def _order(self) -> NDArray[np.int64]:
        """Give the case index of every position of the epoch."""
        if self.groups is None:
            return epoch_positions(self.seed, self.epoch, self.cases, self.batch_size, self.repeats)
        return balanced_positions(self.seed, self.epoch, self.groups, self.batch_size, self.repeats)


def check_divides(batch_size: int, world_size: int) -> None:
    """See that every rank gets the same number of samples.

    Args:
        batch_size: Over all ranks.
        world_size: Number of processes.

    Raises:
        ConfigError: The ranks do not divide the batch.
    """
    if batch_size % world_size:
        todo = "batch_size is over all ranks: choose a multiple of their number"
        expected = f"a multiple of {world_size}"
        raise ConfigError(
            f"data.loading.batch_size: not divisible by the ranks, expected {expected}, got {batch_size}. {todo}."
        )


def _groups(labels: Sequence[Hashable]) -> list[list[int]]:
    """Group case indices by label, in the order of first appearance."""
    groups: dict[Hashable, list[int]] = {}
    for index, label in enumerate(labels):
        groups.setdefault(label, []).append(index)
    return list(groups.values())
