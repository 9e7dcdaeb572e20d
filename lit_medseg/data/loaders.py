"""DataLoaders over the cache."""

import os
import signal
import sys
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, replace
from multiprocessing.context import BaseContext
from typing import Any

import cv2
import torch
from lightning.pytorch import Trainer
from torch.utils.data import DataLoader, Dataset

from lit_medseg.augment.batch_augmentation import BatchAugmentation
from lit_medseg.batch import Batch
from lit_medseg.cluster.die_with_parent import die_with_parent
from lit_medseg.data.augmentation import Augmentation
from lit_medseg.data.check_training import check_training
from lit_medseg.data.collate import collate
from lit_medseg.data.evaluation_batches import dealt, evaluation_batches
from lit_medseg.data.evaluation_dataset import EvaluationDataset
from lit_medseg.data.fixed_batches import FixedBatches
from lit_medseg.data.loading import Loading
from lit_medseg.data.placement import Placement
from lit_medseg.data.prepared import Prepared
from lit_medseg.data.rank_batches import RankBatches
from lit_medseg.data.training import Training
from lit_medseg.data.training_dataset import TrainingDataset
from lit_medseg.target import MultiLabel

# Workers are forked where it is safe by default (Linux): they start in milliseconds and share what is imported and
# mapped, while `spawn` and `forkserver` import torch and Lightning again, ten seconds and 300 MB each. A forked child
# must not touch CUDA or cv2's thread pool: ours work on NumPy arrays and CPU tensors, with cv2 held to one thread. One
# that hangs in its fork, for a lock that a thread of this process held at that moment, is ended and forked again.
CONTEXT: BaseContext | None = None
if sys.platform == "linux":
    from lit_medseg.cluster.sure_fork import SureForkContext

    CONTEXT = SureForkContext()

_MOST_OF_VOLUMES = 2
"""Workers of an evaluation of whole volumes: the network takes far longer than reading."""


@dataclass(frozen=True)
class Ranks:
    """Where this process stands among those of the run.

    Attributes:
        rank: From 0.
        world_size: Processes of the run.
        local: Processes on this machine.
    """

    rank: int = 0
    world_size: int = 1
    local: int = 1

    @classmethod
    def of(cls, trainer: Trainer | None) -> "Ranks":
        """Ask a trainer; alone without one."""
        if trainer is None:
            return cls()
        local = max(1, trainer.world_size // max(1, trainer.num_nodes))
        return cls(trainer.global_rank, trainer.world_size, local)


@dataclass(frozen=True)
class Start:
    """Where a run goes on.

    Attributes:
        epoch: From 0.
        batches: Batches of that epoch that are done already.
    """

    epoch: int = 0
    batches: int = 0


_BEGINNING = Start()


def training_loader(
    prepared: Prepared,
    training: Training,
    augmentation: Augmentation | BatchAugmentation,
    loading: Loading,
    ranks: Ranks,
    start: Start = _BEGINNING,
) -> DataLoader[Batch]:
    """Give a rank its part of the training batches.

    Args:
        prepared: The cases.
        training: Patches and their drawing.
        augmentation: Of the samples.
        loading: Sizes and processes.
        ranks: Where this process stands.
        start: What the first iteration begins with.

    Raises:
        ConfigError: Settings that do not fit the data, the task or the number of ranks.
    """
    entries = prepared.train_entries
    labels = (
        None if prepared.state.truth.labels is None else [entry.label for entry in entries if entry.label is not None]
    )
    dataset = TrainingDataset(
        cache=prepared.cache,
        rows=prepared.rows(entries),
        labels=labels,
        overlapping=isinstance(prepared.state.target, MultiLabel),
        patch_size=training.patch_size,
        placement=Placement(
            training.foreground, training.foreground_classes, training.foreground_which, loading.batch_size
        ),
        augmentation=augmentation,
        normalize=prepared.state.normalize,
        seed=training.seed,
        spacings=[prepared.cache.trace(row).processed_mm for row in prepared.rows(entries)],
        on_device=training.augment_on == "device" and isinstance(augmentation, BatchAugmentation),
    )
    check_training(dataset, training)
    balance: Sequence[Hashable] | None = labels if training.balanced else None
    sampler = RankBatches(
        len(entries), loading.batch_size, training.seed, ranks.rank, ranks.world_size, training.repeats, balance
    )
    sampler.start_at(start.epoch, start.batches)  # now: the workers ask for batches before Lightning sets the epoch
    return _loader(dataset, sampler, loading, ranks)


def evaluation_loader(prepared: Prepared, case_ids: Sequence[str], loading: Loading, ranks: Ranks) -> DataLoader[Batch]:
    """Give a rank its evaluation batches of these cases; perhaps none."""
    entries = prepared.entries(case_ids)
    rows = prepared.rows(entries)
    overlapping = isinstance(prepared.state.target, MultiLabel)
    dataset = EvaluationDataset(prepared.cache, rows, entries, overlapping, prepared.state.normalize)
    grids = [prepared.cache.grid(row) for row in rows]
    if any(len(grid) == 3 for grid in grids):  # every batch that waits holds whole volumes
        workers = min(_MOST_OF_VOLUMES, loading.worker_count(ranks.local))
        loading = replace(loading, workers=workers, prefetch=1, eval_batch_size=1)
    batches = evaluation_batches(grids, loading.eval_batch_size)
    return _loader(dataset, FixedBatches(dealt(batches, ranks.rank, ranks.world_size)), loading, ranks)


def start_worker(worker: int) -> None:  # noqa: ARG001 - torch's signature
    """Set a worker process up.

    cv2 is kept to the worker's own thread: its pool does not survive a fork, and the workers fill the cores. Signals
    that go to all processes of a command (Ctrl-C, a scheduler's SIGTERM and SIGUSR1) are for the ranks, which end in
    order: a worker that they end would look like a failure. It gets a process group of its own, and ends with its
    parent.
    """
    cv2.setNumThreads(0)
    signal.set_wakeup_fd(-1)  # a forked worker has the parent's, which would take the worker's signals for its own
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1):
        signal.signal(number, signal.SIG_IGN)
    if hasattr(os, "setpgid"):
        os.setpgid(0, 0)
    die_with_parent()


def _loader(dataset: Dataset[Any], batches: Any, loading: Loading, ranks: Ranks) -> DataLoader[Batch]:
    """Put a dataset and its batches together.

    A loader draws a seed for its workers, which ours do not use, from a generator of its own: the global stream is the
    network's alone, so that it stands where it stood when a run goes on.
    """
    # More workers than batches would only wait.
    workers = min(loading.worker_count(ranks.local), len(batches))
    if workers == 0:
        return DataLoader(
            dataset,
            batch_sampler=batches,
            collate_fn=collate,
            pin_memory=torch.cuda.is_available(),
            generator=torch.Generator(),
        )
    return DataLoader(
        dataset,
        batch_sampler=batches,
        collate_fn=collate,
        num_workers=workers,
        worker_init_fn=start_worker,
        multiprocessing_context=CONTEXT,
        persistent_workers=True,
        prefetch_factor=loading.prefetch,
        pin_memory=torch.cuda.is_available(),
        generator=torch.Generator(),
    )
