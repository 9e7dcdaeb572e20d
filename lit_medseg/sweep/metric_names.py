"""Which metrics a task logs, found out by letting it train for one step."""

import json
from pathlib import Path

from lightning.pytorch import Callback, LightningModule, Trainer


class MetricNames(Callback):
    """Writes the keys of all logged metrics, on the first rank.

    Args:
        file: A JSON file, a list.
    """

    def __init__(self, file: str) -> None:
        self.file = Path(file)

    def on_fit_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Write them."""
        if trainer.is_global_zero:
            self.file.write_text(json.dumps(sorted(trainer.callback_metrics)), encoding="utf-8")
