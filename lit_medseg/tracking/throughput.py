"""How fast a run trains, how long it waits for data, how large its gradients are."""

import time
from typing import Any

import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from torch import Tensor
from torch.nn.utils import get_total_norm
from torch.optim import Optimizer

from lit_medseg.tracking.find_logger import find_logger

RECORDED = (
    "train/images_per_s", "time/epoch_s", "time/validation_s", "time/first_batch_s", "time/data_wait_share",
    "train/grad_norm", "train/grad_norm_max", "train/lr",
)  # fmt: skip
"""Keys of what every run records so; with several learning rates, `train/lr` has their names behind it."""
NORM_EVERY = 10
"""Optimizer steps between two measurements of the gradients."""


class Throughput(Callback):
    """Records, once an epoch:

    - `train/images_per_s`: images of all ranks per second of training, validation not counted;
    - `time/epoch_s` and `time/validation_s`: training and validation of the epoch;
    - `time/first_batch_s`: wait for the first batch (worker processes start);
    - `time/data_wait_share`: share of the remaining training time in which the loop waited for a batch;
    - `train/grad_norm`, `train/grad_norm_max`: norm of all gradients before clipping, mean and maximum over the epoch's
      first step and every tenth after it (reading all gradients at each step costs several percent of a small step);
    - `train/lr` (or `train/lr/<group>`): learning rates at the epoch's end.

    The gradient norms stay on their device until the epoch's end, so that no step waits for them.
    """  # noqa: D415

    def __init__(self) -> None:
        self._norms: list[Tensor] = []
        self._start(0.0)

    def _start(self, now: float) -> None:
        self._epoch_start = self._last_end = now
        self._wait_s = self._first_s = self._validation_s = 0.0
        self._images = self._batches = self._updates = 0

    def state_dict(self) -> dict[str, Any]:
        """Give the gradients' norms so far in the epoch; times and images count from where a run goes on."""
        return {"norms": [float(norm) for norm in self._norms], "updates": self._updates}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on within an epoch."""
        self._norms = [torch.tensor(norm) for norm in state_dict["norms"]]
        self._updates = state_dict["updates"]

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Start the clocks for the rest of an epoch that a run goes on in."""
        self._epoch_start = self._last_end = time.perf_counter()

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Start the clocks."""
        self._norms = []
        self._start(time.perf_counter())

    def on_train_batch_start(self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int) -> None:
        """Count the time since the last step's end as waiting."""
        waited = time.perf_counter() - self._last_end
        if self._batches == 0:
            self._first_s = waited
        else:
            self._wait_s += waited

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Count the images of all ranks."""
        self._last_end = time.perf_counter()
        self._batches += 1
        self._images += len(batch["case_id"]) * trainer.world_size

    def on_before_optimizer_step(self, trainer: Trainer, pl_module: LightningModule, optimizer: Optimizer) -> None:
        """Measure the gradients at every tenth step: unscaled already, not clipped yet."""
        self._updates += 1
        if self._updates % NORM_EVERY != 1:
            return
        # the optimizer's list: going through the modules of a large network takes a millisecond at every step
        gradients = [p.grad for group in optimizer.param_groups for p in group["params"] if p.grad is not None]
        if gradients:
            self._norms.append(get_total_norm(gradients).detach())

    def on_validation_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Stop the training clock."""
        self._pause = time.perf_counter()

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Go on with the training clock where it stood."""
        paused = time.perf_counter() - self._pause
        self._epoch_start += paused
        self._last_end += paused
        self._validation_s += paused

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Record the epoch."""
        logger = find_logger(trainer)
        if logger is None:
            return
        metrics = {"time/validation_s": self._validation_s, **_learning_rates(trainer)}
        if self._batches > 0:  # none where a run goes on behind the last one
            epoch_s = self._last_end - self._epoch_start
            metrics |= {
                "train/images_per_s": self._images / max(epoch_s, 1e-9),
                "time/epoch_s": epoch_s,
                "time/first_batch_s": self._first_s,
                "time/data_wait_share": self._wait_s / max(epoch_s - self._first_s, 1e-9),
            }
        if self._norms:
            norms = torch.stack([norm.to(self._norms[-1].device) for norm in self._norms]).float()
            metrics |= {"train/grad_norm": norms.mean().item(), "train/grad_norm_max": norms.max().item()}
        logger.log_metrics(metrics, trainer.global_step)


def _learning_rates(trainer: Trainer) -> dict[str, float]:
    groups = [group for optimizer in trainer.optimizers for group in optimizer.param_groups]
    if len(groups) == 1:
        return {"train/lr": float(groups[0]["lr"])}
    return {f"train/lr/{group.get('name', index)}": float(group["lr"]) for index, group in enumerate(groups)}
