"""Which metrics a run records, found out by letting it train for one step."""

import json
from pathlib import Path

from lightning.pytorch import Callback, LightningModule, Trainer

from lit_medseg.sweep.trial_cost import costs_on


class MetricNames(Callback):
    """Writes the keys of all metrics of the task, and of what `TrialCost` records on such a device, on the first rank.

    Args:
        file: A JSON file, a list.
    """

    def __init__(self, file: str) -> None:
        self.file = Path(file)

    def on_fit_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Write them."""
        if trainer.is_global_zero:
            names = {*trainer.callback_metrics, *costs_on(trainer.strategy.root_device.type)}
            self.file.write_text(json.dumps(sorted(names)), encoding="utf-8")
