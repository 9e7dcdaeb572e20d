"""Callbacks that give a test time to disturb a job."""

import json
import os
import time
from pathlib import Path

from lightning.pytorch import Callback

from tests.commands.rank_fakes import rank


class SlowSteps(Callback):
    """Notes each step of a job's rank, and takes two seconds for it until the file `go-<job>` is there."""

    def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx):
        job = os.environ.get("SLURM_JOB_ID")
        if job is None:
            return
        restart = int(os.environ.get("SLURM_RESTART_COUNT", "0"))
        with Path(f"steps-{job}-{rank()}.jsonl").open("a") as file:
            place = {"node": os.environ["SLURMD_NODENAME"], "world_size": trainer.world_size}
            file.write(json.dumps({"step": trainer.global_step, "restart": restart, **place}) + "\n")
        if not Path(f"go-{job}").exists():
            time.sleep(2.0)


class HeldSteps(Callback):
    """Says that a run trains, and holds it at the end of its step until a file is there; then a second a step."""

    def __init__(self, go: str) -> None:
        self.go = Path(go)

    def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx):
        if trainer.fast_dev_run:
            return
        run = Path(trainer.logger.save_dir).name
        self.go.with_name(f"{self.go.name}-{run}").touch()
        deadline = time.monotonic() + 240.0
        while not self.go.exists() and time.monotonic() < deadline:
            time.sleep(0.1)
        time.sleep(1.0)
