"""Callback of `resume.py`: blocks of steps with one checkpoint each, in turns with blocks without."""

import time
from pathlib import Path
from typing import Any

from fit_process import add_line
from lightning.pytorch import Callback, LightningModule, Trainer

from lit_medseg.batch import Batch
from lit_medseg.cluster.background_checkpoint_io import Written


class CheckpointBlocks(Callback):
    """Lets `fit` save once in every second block of steps, where it would save at each step.

    All ranks decide alike; the first one writes a line for each block. A block with a checkpoint ends when that is
    written, so that none of its cost falls into the next block. The first pair of blocks warms up.

    Args:
        steps: Of a block.
        pairs: Of blocks that count.
        out: File, one JSON a line.
    """

    def __init__(self, steps: int, pairs: int, out: str) -> None:
        self.steps, self.pairs, self.out = steps, pairs, Path(out)
        self._block = -1  # the steps up to the first block's start belong to none
        self._done = 0
        self._start = 0.0
        self._found: dict[str, float] = {}

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Stand between the callback that saves and the Trainer."""
        save = trainer.save_checkpoint

        def saved(filepath: Any, weights_only: bool = False, storage_options: Any = None) -> None:
            if self._block % 2 == 0 or self._block < 0 or "stall_s" in self._found:
                return
            start = time.perf_counter()
            save(filepath, weights_only, self._timed(storage_options))
            self._found["stall_s"] = time.perf_counter() - start

        trainer.save_checkpoint = saved  # type: ignore[method-assign,assignment]  # for this measurement

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Batch, batch_idx: int
    ) -> None:
        """End a block after its last step, and begin the next."""
        self._done += 1
        if self._done % self.steps:
            return
        if "stall_s" in self._found:
            trainer.strategy.checkpoint_io.wait()  # type: ignore[attr-defined]  # ours, see `build_trainer`
        if self._block >= 0 and trainer.is_global_zero:
            add_line(self.out, {"block": self._block, "block_s": time.perf_counter() - self._start, **self._found})
        self._block += 1
        self._found = {}
        if self._block == 2 * (self.pairs + 1):
            trainer.should_stop = True
        trainer.strategy.barrier()
        self._start = time.perf_counter()

    def _timed(self, written: Written) -> Written:
        found = self._found

        def told(path: Path, seconds: float) -> None:
            found["write_s"], found["bytes"] = seconds, path.stat().st_size
            written(path, seconds)

        return told
