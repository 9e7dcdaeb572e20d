"""What the commands name by class path: a tiny network that can be told to fail, and a witness on every rank."""

import json
import os
import time
from pathlib import Path

import torch
from lightning.pytorch import Callback
from torch import nn

from data_modules.mri_slices import MRISlicesDataModule


def rank():
    """As torchrun, our own launcher or srun say."""
    names = ("RANK", "LOCAL_RANK", "SLURM_PROCID")
    return int(next((os.environ[name] for name in names if name in os.environ), "0"))


class TinyNetwork(nn.Module):
    """No layer mixes a batch's samples. Its first weights differ from rank to rank: only DDP makes them equal."""

    def __init__(
        self,
        in_channels: int,
        classes: int,
        dense: bool = True,
        step_s: float = 0.0,
        fail_rank: int = -1,
        fail_step: int = -1,
        hang: bool = False,
    ) -> None:
        super().__init__()
        torch.manual_seed(rank())
        head = [nn.Conv2d(8, classes, 1)] if dense else [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, classes)]
        self.layers = nn.Sequential(nn.Conv2d(in_channels, 8, 5, padding=2), nn.Tanh(), *head)
        self.register_buffer("seen", torch.zeros(()))
        self.step_s, self.fail_rank, self.fail_step, self.hang = step_s, fail_rank, fail_step, hang
        self.steps = 0

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        if self.training:
            self.steps += 1
            self.seen += 1 + rank()  # differs from rank to rank, as a batch norm's statistics do
            time.sleep(self.step_s)
            if rank() == self.fail_rank and self.steps == self.fail_step:
                if self.hang:
                    time.sleep(1000)
                raise ArithmeticError(f"made to fail on rank {rank()}")
        return self.layers(image)


class Unaugmented(MRISlicesDataModule):
    def default_augmentation(self):
        return []


class Witness(Callback):
    """Writes what its rank sees, one line an event."""

    def __init__(self, folder: str) -> None:
        self.folder = Path(folder)

    def _write(self, **event):
        self.folder.mkdir(parents=True, exist_ok=True)
        with (self.folder / f"rank{rank()}.jsonl").open("a") as file:
            file.write(json.dumps({"pid": os.getpid(), **event}) + "\n")

    def on_train_start(self, trainer, pl_module):
        weights = [parameter.detach().flatten().tolist() for parameter in pl_module.parameters()]
        self._write(event="start", world_size=trainer.world_size, weights=weights)

    def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx):
        self._write(event="step", step=trainer.global_step, cases=list(batch["case_id"]))

    def on_validation_batch_end(self, trainer, pl_module, outputs, batch, batch_idx, dataloader_idx=0):
        weights = [tensor.detach().flatten().tolist() for tensor in (*pl_module.parameters(), *pl_module.buffers())]
        self._write(event="batch", cases=list(batch["case_id"]), weights=weights)

    def on_validation_end(self, trainer, pl_module):
        evaluation = pl_module.evaluation
        self._write(event="validation", scores=evaluation.scores, rows=evaluation.rows.to_csv())

    def on_test_end(self, trainer, pl_module):
        evaluation = pl_module.evaluation
        self._write(event="test", scores=evaluation.scores, rows=evaluation.rows.to_csv())
