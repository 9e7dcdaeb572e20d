"""In which order training cases come: a function of seed and epoch, of nothing else."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

_SHUFFLED, _BALANCED = 1, 2
"""Keep the random streams of the two orders apart."""


def epoch_positions(seed: int, epoch: int, n: int, batch_size: int, repeats: int = 1) -> NDArray[np.int64]:
    """Shuffle the cases of an epoch.

    Args:
        seed: Of the run.
        epoch: From 0.
        n: Training cases.
        batch_size: Over all ranks; a short last batch is filled from the epoch's start.
        repeats: How often the cases are gone through, each time in another order.

    Returns:
        Case indices by position, int64; a multiple of `batch_size` long. Empty for no cases.
    """
    rng = np.random.default_rng((seed, epoch, _SHUFFLED))
    passes = [rng.permutation(n) for _ in range(repeats)]
    return _filled(np.concatenate(passes).astype(np.int64), batch_size)


def balanced_positions(
    seed: int, epoch: int, groups: Sequence[Sequence[int]], batch_size: int, repeats: int = 1
) -> NDArray[np.int64]:
    """Draw the cases of an epoch with replacement: a class at random, then one of its cases.

    Args:
        seed: Of the run.
        epoch: From 0.
        groups: Case indices by class; empty classes are left out.
        batch_size: Over all ranks; a short last batch is filled from the epoch's start.
        repeats: How many times the number of cases is drawn.

    Returns:
        As `epoch_positions`.
    """
    rng = np.random.default_rng((seed, epoch, _BALANCED))
    filled = [np.asarray(group, dtype=np.int64) for group in groups if len(group)]
    total = repeats * sum(len(group) for group in filled)
    chosen = rng.integers(len(filled), size=total) if filled else np.zeros(0, dtype=np.int64)
    within = rng.random(total)
    drawn = [filled[group][int(part * len(filled[group]))] for group, part in zip(chosen, within, strict=True)]
    return _filled(np.array(drawn, dtype=np.int64), batch_size)


def _filled(order: NDArray[np.int64], batch_size: int) -> NDArray[np.int64]:
    """Fill the last batch from the start, going round where the epoch is shorter than a batch."""
    missing = -len(order) % batch_size
    return order if missing == 0 else np.concatenate([order, np.resize(order, missing)])
