"""How batches are made: sizes and worker processes."""

import os
from dataclasses import dataclass

from lit_medseg.errors import ConfigError

_MOST_WORKERS = 8
"""More rarely helps one rank and costs memory and start-up."""


@dataclass(frozen=True)
class Loading:
    """Sizes and processes; the sizes of `workers` and `prefetch` change no number of a run.

    Attributes:
        batch_size: Training samples a step, over all ranks together.
        eval_batch_size: Most pictures in an evaluation batch, of one rank; volumes come one by one.
        workers: Loader processes a rank; None for the cores of this process, less one for training, shared by the
            machine's ranks, at most 8; 0 to load in the training process. Whole volumes are evaluated with 2 at most.
        prefetch: Batches that each worker holds ready; 1 of whole volumes.
    """

    batch_size: int = 8
    eval_batch_size: int = 4
    workers: int | None = None
    prefetch: int = 2

    def __post_init__(self) -> None:
        """Refuse values that mean nothing.

        Raises:
            ConfigError: A size is below one, or the number of workers is negative.
        """
        for name in ("batch_size", "eval_batch_size", "prefetch"):
            if getattr(self, name) < 1:
                raise ConfigError(
                    f"data.loading.{name}: unusable, expected 1 or more, got {getattr(self, name)}. Raise it."
                )
        if self.workers is not None and self.workers < 0:
            raise ConfigError(f"data.loading.workers: unusable, expected 0 or more, got {self.workers}. Raise it.")

    def worker_count(self, local_ranks: int) -> int:
        """Give the number of loader processes of one rank.

        Args:
            local_ranks: Ranks on this machine.
        """
        if self.workers is not None:
            return self.workers
        # The scheduler's share (cgroup or affinity) counts, not the machine's cores.
        cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
        return max(0, min(_MOST_WORKERS, cores // max(1, local_ranks) - 1))
