"""A training loop in plain PyTorch, without Trainer, callbacks or logger: what `fit` is compared with."""

import contextlib
import time
from collections.abc import Iterable
from itertools import islice

import torch
from torch import nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from lit_medseg.batch import Batch
from lit_medseg.tasks.step_schedule import StepSchedule
from lit_medseg.tasks.task import Task

_HALF = {"bf16-mixed": torch.bfloat16, "16-mixed": torch.float16}


class BareLoop:
    """The work that a step needs and nothing else: forward, loss, backward, clipping, optimizer, schedule, average.

    `clip` is the largest norm of the gradients; None, as it is at first, clips nothing.

    Args:
        task: Names loss, optimizer, schedule and memory layout; its own `training_step` is not used.
        network: Trained in place; on its device.
        precision: As in `trainer.precision`; `16-mixed` runs without the scaling of gradients.
        ema_decay: As in the YAML.
        total_steps: Length of the schedule.
    """

    def __init__(
        self, task: Task, network: nn.Module, precision: str | None, ema_decay: float | None, total_steps: int
    ) -> None:
        self.task, self.network = task, network
        self.device = next(network.parameters()).device
        self.half = _HALF.get(str(precision))
        self.optimizer = task.optimizer([weight for weight in network.parameters() if weight.requires_grad])
        self.schedule = None if task.lr_scheduler is None else task.lr_scheduler(self.optimizer)
        if isinstance(self.schedule, StepSchedule):
            self.schedule.plan(total_steps)
        average = None if ema_decay is None else get_ema_multi_avg_fn(ema_decay)  # type: ignore[no-untyped-call]
        self.average = None if average is None else AveragedModel(network, multi_avg_fn=average, use_buffers=True)
        self.clip: float | None = None

    def run(self, batches: Iterable[Batch], steps: int) -> tuple[float, int]:
        """Train.

        Args:
            batches: At least `steps`; their iterator is made within the measured time, as an epoch's is.
            steps: How many.

        Returns:
            Seconds, and images seen.
        """
        self.network.train()
        images = 0
        start = time.perf_counter()
        for batch in islice(iter(batches), steps):
            images += len(batch["case_id"])
            self.step(batch)
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)
        return time.perf_counter() - start, images

    def step(self, batch: Batch) -> None:
        """Train on one batch."""
        image = batch["image"].to(self.device, non_blocking=True)
        if self.task.execution.channels_last:
            image = image.contiguous(memory_format=torch.channels_last)
        truth = self.task.truth(batch).to(self.device, non_blocking=True)
        half = contextlib.nullcontext() if self.half is None else torch.autocast(self.device.type, dtype=self.half)
        with half:
            loss = self.task.loss(self.network(image), truth)
        self.optimizer.zero_grad()
        loss.backward()
        if self.clip is not None:
            nn.utils.clip_grad_norm_(self.network.parameters(), self.clip)
        self.optimizer.step()
        if isinstance(self.schedule, StepSchedule):
            self.schedule.step()
        if self.average is not None:
            self.average.update_parameters(self.network)
