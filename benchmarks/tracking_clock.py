"""Callback of `resume.py`: how much processor time a run's tracking takes."""

import functools
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from fit_process import add_line
from lightning.pytorch import Callback, LightningModule, Trainer

from lit_medseg.batch import Batch

_THREADS = ("record-queue", "system-metrics")
_LOGGER = ("log_metrics", "log_hyperparams", "log_tags", "log_artifact", "save")


class TrackingClock(Callback):
    """Adds up the processor time of everything that belongs to tracking, and writes the sums after every tenth step.

    On the training thread: the logger's methods and every hook of a callback of `lit_medseg.tracking`. Beside it: the
    threads that send the records and sample the machine. Processor time is not touched by what else runs.

    Args:
        out: File, one JSON a line, written by the first rank.
    """

    def __init__(self, out: str) -> None:
        self.out = Path(out)
        self._within = self._wall = 0.0
        self._depth = self._steps = 0

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Stand before the logger and the callbacks."""
        for logger in trainer.loggers:
            self._watch(logger, _LOGGER)
        callbacks: list[Callback] = trainer.callbacks  # type: ignore[attr-defined]
        for callback in callbacks:
            if type(callback).__module__.startswith("lit_medseg.tracking"):
                self._watch(callback, [name for name in vars(Callback) if name.startswith("on_")])

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Batch, batch_idx: int
    ) -> None:
        """Write the sums so far."""
        self._steps += 1
        if trainer.is_global_zero and self._steps % 10 == 0:
            sums = {"within_s": self._within, "within_wall_s": self._wall, "beside_s": _beside()}
            add_line(self.out, {"at": time.time(), "step": self._steps, "thread_s": time.thread_time(), **sums})

    def _watch(self, owner: Any, names: Any) -> None:
        for name in names:
            setattr(owner, name, self._timed(getattr(owner, name)))

    def _timed(self, method: Callable[..., Any]) -> Callable[..., Any]:
        """Time the calls of the training thread; of calls within calls the outermost."""

        @functools.wraps(method)
        def timed(*arguments: Any, **named: Any) -> Any:
            if self._depth or threading.current_thread() is not threading.main_thread():
                return method(*arguments, **named)
            self._depth = 1
            start, wall = time.thread_time(), time.perf_counter()
            try:
                return method(*arguments, **named)
            finally:
                self._within += time.thread_time() - start
                self._wall += time.perf_counter() - wall
                self._depth = 0

        return timed


def _beside() -> float:
    """Processor seconds of the other threads."""
    found = [thread for thread in threading.enumerate() if thread.name in _THREADS and thread.ident is not None]
    return sum(time.clock_gettime(time.pthread_getcpuclockid(thread.ident or 0)) for thread in found)
