"""DataLoaders over the cache."""

import os
import signal
import sys
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import cv2
import torch
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
# must not touch CUDA or cv2's thread pool: ours work on NumPy arrays and CPU tensors, with cv2 held to one thread.
CONTEXT = "fork" if sys.platform == "linux" else None

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


def training_loader(
    prepared: Prepared,
    training: Training,
    augmentation: Augmentation | BatchAugmentation,
    loading: Loading,
    ranks: Ranks,
) -> DataLoader[Batch]:
    """Give a rank its part of the training batches.

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
    that go to all processes of a command (Ctrl-C, a scheduler's SIGTERM) are for the first rank, which ends in order: a
    worker that they end would look like a failure. It gets a process group of its own, and ends with its parent.
    """
    cv2.setNumThreads(0)
    signal.set_wakeup_fd(-1)  # a forked worker has the parent's, which would take the worker's signals for its own
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if hasattr(os, "setpgid"):
        os.setpgid(0, 0)
    die_with_parent()


def _loader(dataset: Dataset[Any], batches: Any, loading: Loading, ranks: Ranks) -> DataLoader[Batch]:
    """Put a dataset and its batches together."""
    # More workers than batches would only wait.
    workers = min(loading.worker_count(ranks.local), len(batches))
    if workers == 0:
        return DataLoader(dataset, batch_sampler=batches, collate_fn=collate, pin_memory=torch.cuda.is_available())
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
    )
