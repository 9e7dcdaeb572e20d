"""What the experiments of the sweeps' tests name by class path."""

import json
import os
import signal
import time
from pathlib import Path

import torch
from lightning.pytorch import Callback
from torch import nn


class TinyUNet(nn.Module):
    """Two convolutions and a head; can be slow, be unable to train, or fail on purpose."""

    def __init__(
        self,
        in_channels: int,
        classes: int,
        norm: bool = True,
        step_s: float = 0.0,
        fault: str = "",
    ) -> None:
        super().__init__()
        if fault == "refused" and not norm:
            raise ValueError("made to refuse to be built without a norm")
        stem = nn.Sequential(nn.Conv2d(in_channels, 6, 3, padding=1), nn.BatchNorm2d(6) if norm else nn.Identity())
        self.encoder = nn.ModuleDict({"stem": stem, "body": nn.Conv2d(6, 6, 5, padding=2)})
        self.head = nn.Conv2d(6, classes, 1)
        self.step_s, self.fault = step_s, fault
        self.steps = 0

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        if self.training:
            self.steps += 1
            time.sleep(self.step_s)
            if self.fault == "memory" and self.steps > 1:
                torch.empty(2**60, dtype=torch.uint8)  # more than any machine has
            if self.fault == "kill" and self.steps > 1:
                os.kill(os.getpid(), signal.SIGKILL)
        logits = self.head(torch.tanh(self.encoder["body"](torch.tanh(self.encoder["stem"](image)))))
        return logits * float("nan") if self.fault == "nan" and self.training and self.steps > 1 else logits


class SettingsOfRank(Callback):
    """Writes, on every rank, what the trial's settings have become: learning rate, layers, weights after each epoch."""

    def __init__(self, folder: str) -> None:
        self.folder = Path(folder)

    def _write(self, trainer, **event):
        if trainer.fast_dev_run:
            return
        self.folder.mkdir(parents=True, exist_ok=True)
        name = f"{Path(trainer.logger.save_dir).name}-rank{trainer.global_rank}.jsonl"
        with (self.folder / name).open("a") as file:
            file.write(json.dumps({"pid": os.getpid(), **event}) + "\n")

    def on_train_start(self, trainer, pl_module):
        norm = any(isinstance(module, nn.BatchNorm2d) for module in pl_module.modules())
        self._write(trainer, lr=trainer.optimizers[0].param_groups[0]["lr"], norm=norm)

    def on_train_epoch_end(self, trainer, pl_module):
        weights = nn.utils.parameters_to_vector(pl_module.network.parameters())
        self._write(trainer, epoch=trainer.current_epoch, weights=float(weights.double().sum()))
