"""SIGTERM ends a run as Ctrl-C does: in order, with the run marked."""

import os
import signal
from types import FrameType
from typing import Any

from lightning.pytorch import Callback, LightningModule, Trainer
from typing_extensions import override


class TerminateLikeInterrupt(Callback):
    """Takes the signals over once Lightning has set its own handlers.

    Lightning's handler for SIGTERM starts a collective inside the handler, which hangs where the other ranks are in
    another one. Here the first rank raises KeyboardInterrupt and ends the others; these ignore Ctrl-C, which a terminal
    sends to all of them at once.
    """

    @override
    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        if trainer.is_global_zero:
            signal.signal(signal.SIGTERM, _interrupt)
        elif "LOCAL_RANK" in os.environ:
            signal.signal(signal.SIGINT, signal.SIG_IGN)


def _interrupt(_signum: int, _frame: FrameType | None) -> Any:
    raise KeyboardInterrupt
