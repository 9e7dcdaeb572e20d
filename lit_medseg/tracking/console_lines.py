"""How far a command is, in plain lines: for logs, where a bar that draws over itself cannot be read."""

import math
import sys
import time
from typing import Any

from lightning.fabric.utilities.exceptions import MisconfigurationException
from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.callbacks import EarlyStopping, ModelCheckpoint
from typing_extensions import override

_LOSSES = ("train/loss", "val/loss")
_MINUTE_S = 60.0


class ConsoleLines(Callback):
    """Prints a line after each epoch and each validation within one, on the first rank's standard error.

    Where nothing was printed for `every_s`, a line says which batch of training, validation, test or prediction is
    done, so that a log without news is one of a process that hangs.
    """

    def __init__(self, every_s: float = 300.0) -> None:
        """Set up.

        Args:
            every_s: The longest silence within an epoch.
        """
        self._every_s = every_s
        self._printed_s = self._began_s = self._epoch_s = self._validation_s = time.monotonic()
        self._first_step = 0
        self._validating_s = 0.0
        self._validated = False
        self._epoch = ""

    @override
    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._printed_s = self._began_s = self._epoch_s = time.monotonic()
        self._first_step = trainer.global_step

    @override
    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Print the line of the epoch before, whose metrics are complete only now, and start the clock."""
        self._print_epoch(trainer)
        self._epoch_s = time.monotonic()
        self._validating_s = 0.0
        self._validated = False

    @override
    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        if self._is_due():
            place = f"batch {batch_idx + 1}/{trainer.num_training_batches}"
            loss = outputs.get("loss") if isinstance(outputs, dict) else None
            # Lightning gives the share of one of the accumulated batches
            shown = "" if loss is None else f"loss {float(loss) * trainer.accumulate_grad_batches:.4f}"
            self._print(trainer, _epoch(trainer), place, _step(trainer), shown, self._left(trainer))

    @override
    def on_validation_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._validation_s = time.monotonic()

    @override
    def on_validation_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        epoch = _epoch(trainer) if trainer.state.fn == "fit" else ""
        if not trainer.sanity_checking:
            self._print_batch(trainer, f"{epoch}  validation".lstrip(), batch_idx, trainer.num_val_batches)

    @override
    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Print the scores of a validation within an epoch; those of one at its end stand in the epoch's line."""
        if trainer.sanity_checking:
            return
        self._validating_s += time.monotonic() - self._validation_s
        self._validated = True
        if trainer.state.fn == "fit" and not trainer.fit_loop.epoch_loop.batch_progress.is_last_batch:
            place = f"batch {trainer.fit_loop.epoch_loop.batch_idx + 1}/{trainer.num_training_batches}"
            shown = _metrics(trainer, ("val/loss",), best=False)
            self._print(trainer, _epoch(trainer), place, _step(trainer), shown, self._left(trainer))

    @override
    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._epoch = f"{_epoch(trainer)}  {_step(trainer)}"

    @override
    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._print_epoch(trainer)

    @override
    def on_test_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        self._print_batch(trainer, "test", batch_idx, trainer.num_test_batches)

    @override
    def on_predict_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        self._print_batch(trainer, "prediction", batch_idx, trainer.num_predict_batches)

    def _print_epoch(self, trainer: Trainer) -> None:
        """Print the line of an epoch that has ended; once."""
        epoch, self._epoch = self._epoch, ""
        if not epoch:
            return
        seconds = clock(time.monotonic() - self._epoch_s)
        part = f", validation {clock(self._validating_s)} of it" if self._validated else ""
        shown = _metrics(trainer, _LOSSES if self._validated else _LOSSES[:1], best=self._validated)
        self._print(trainer, epoch, shown, f"{seconds}{part}", self._left(trainer))

    def _print_batch(self, trainer: Trainer, what: str, batch: int, counts: Any) -> None:
        if self._is_due():
            count = sum(counts) if isinstance(counts, list) else counts
            self._print(trainer, f"{what} batch {batch + 1}/{count}")

    def _is_due(self) -> bool:
        return time.monotonic() - self._printed_s >= self._every_s

    def _print(self, trainer: Trainer, *parts: str) -> None:
        self._printed_s = time.monotonic()
        if trainer.is_global_zero:
            sys.stderr.write("  ".join(part for part in parts if part) + "\n")
            sys.stderr.flush()

    def _left(self, trainer: Trainer) -> str:
        """Estimate the time that the remaining steps take, validations included; empty where nobody knows."""
        done = trainer.global_step - self._first_step
        try:
            total = trainer.estimated_stepping_batches
        except MisconfigurationException:  # steps of a changing number of batches
            return ""
        if not math.isfinite(total) or done <= 0 or trainer.global_step >= total:
            return ""
        seconds = (time.monotonic() - self._began_s) / done * (total - trainer.global_step)
        return f"{clock(seconds)} left"


def clock(seconds: float) -> str:
    """Write a time for people: `4.2 s`, `3:07 min`, `12:30:00 h`."""
    if seconds < _MINUTE_S:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < _MINUTE_S:
        return f"{minutes}:{rest:02d} min"
    return f"{minutes // 60}:{minutes % 60:02d}:{rest:02d} h"


def _epoch(trainer: Trainer) -> str:
    last = f"/{trainer.max_epochs}" if trainer.max_epochs is not None and trainer.max_epochs > 0 else ""
    return f"epoch {trainer.current_epoch + 1}{last}"


def _step(trainer: Trainer) -> str:
    return f"step {trainer.global_step}" + (f"/{trainer.max_steps}" if trainer.max_steps > 0 else "")


def _metrics(trainer: Trainer, losses: tuple[str, ...], best: bool) -> str:
    """Write losses, and what chooses the best checkpoint or ends the training."""
    callbacks: list[Any] = trainer.callbacks  # type: ignore[attr-defined]  # Lightning sets it outside of its class
    keepers = [one for one in callbacks if isinstance(one, ModelCheckpoint | EarlyStopping) and one.monitor]
    bests = {one.monitor: one.best_model_score for one in keepers if isinstance(one, ModelCheckpoint)}
    names = dict.fromkeys((*losses, *((one.monitor for one in keepers) if "val/loss" in losses else ())))
    shown = []
    for name in names:
        value = trainer.callback_metrics.get(name)
        if value is not None:
            top = bests.get(name) if best else None
            word = "" if top is None else " (best)" if float(top) == float(value) else f" (best {float(top):.4f})"
            shown.append(f"{name} {float(value):.4f}{word}")
    return "  ".join(shown)
