"""Callback of `startup.py`: writes down when the first training step began and ended, and when the last one ended."""

import json
import time
from pathlib import Path
from typing import Any

from lightning.pytorch import Callback, LightningModule, Trainer

from lit_medseg.batch import Batch


class StepClock(Callback):
    """Writes times of day in seconds, which the process that started the command can compare with its own.

    Args:
        out: File to write, JSON.
    """

    def __init__(self, out: str) -> None:
        self.out = Path(out)
        self._times: dict[str, float] = {}

    def on_train_batch_start(self, trainer: Trainer, pl_module: LightningModule, batch: Batch, batch_idx: int) -> None:
        """Note the first step's start."""
        self._times.setdefault("first_start", time.time())

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Batch, batch_idx: int
    ) -> None:
        """Note the first and the last step's end."""
        self._times.setdefault("first_end", time.time())
        self._times["last_end"] = time.time()

    def on_fit_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Write."""
        self.out.write_text(json.dumps({**self._times, "fit_end": time.time()}), encoding="utf-8")
