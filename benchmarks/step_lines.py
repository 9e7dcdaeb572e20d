"""Callback of `resume.py`: one line a step, for the process that started the command."""

import time
from pathlib import Path

from fit_process import add_line
from lightning.pytorch import Callback, LightningModule, Trainer

from lit_medseg.batch import Batch


class StepLines(Callback):
    """Writes down when each step of the first rank begins.

    Args:
        out: File, one JSON a line: `step` and `at`, time of day in seconds.
    """

    def __init__(self, out: str) -> None:
        self.out = Path(out)

    def on_train_batch_start(self, trainer: Trainer, pl_module: LightningModule, batch: Batch, batch_idx: int) -> None:
        """Write a line."""
        if trainer.is_global_zero:
            add_line(self.out, {"step": trainer.global_step, "at": time.time()})
