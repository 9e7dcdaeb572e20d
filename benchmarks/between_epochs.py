"""Callbacks of `overhead.py`: after each epoch of `fit`, while it waits, the other side of the pair is measured."""

import copy
import json
from pathlib import Path
from typing import Any

from bare_child import BareChild
from bare_loop import BareLoop
from lightning.pytorch import Callback, LightningModule, Trainer

from lit_medseg.batch import Batch


class BareEpochs(Callback):
    """Lets a process of its own train an epoch without Lightning.

    Args:
        steps: Of an epoch.
        arguments: Of `fit`, for that process.
        out: File that gets one line of JSON an epoch.
    """

    def __init__(self, steps: int, arguments: list[str], out: str) -> None:
        self.steps, self.arguments, self.out = steps, arguments, Path(out)

    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Start the process."""
        self._child = BareChild(self.arguments)

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Train in the other process."""
        _add_line(self.out, self._child.train(self.steps))

    def on_fit_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """End the process."""
        self._child.close()


class RepeatedBatch(Callback):
    """Trains a copy of the network, in plain PyTorch and in this process, on the epoch's last batch again and again.

    Args:
        steps: Of an epoch.
        precision: As in `trainer.precision`.
        ema_decay: As in the YAML.
        out: File that gets one line of JSON an epoch.
    """

    def __init__(self, steps: int, precision: str | None, ema_decay: float | None, out: str) -> None:
        self.steps, self.precision, self.ema_decay, self.out = steps, precision, ema_decay, Path(out)

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Copy the network."""
        task: Any = pl_module
        self._loop = BareLoop(task, copy.deepcopy(task.network), self.precision, self.ema_decay, 10**6)
        self._loop.clip = trainer.gradient_clip_val

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Batch, batch_idx: int
    ) -> None:
        """Keep the batch."""
        self._batch = batch

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Train on the batch that was kept."""
        seconds, images = self._loop.run([self._batch] * self.steps, self.steps)
        _add_line(self.out, {"seconds": seconds, "images": images})


def _add_line(file: Path, answer: dict[str, float]) -> None:
    with file.open("a", encoding="utf-8") as lines:
        lines.write(json.dumps(answer) + "\n")
