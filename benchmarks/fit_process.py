"""The `fit` that `resume.py` measures: phantoms made on the spot, a U-Net, AdamW and a weight average."""

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
_DDP = {"class_path": "lit_medseg.cluster.exact_ddp.ExactDDP"}


@dataclass(frozen=True)
class FitProcess:
    """A command `fit` in the working folder.

    Attributes:
        name: Of the experiment.
        ranks: Processes, each with one thread.
        channels: Of the network's levels.
        steps: Of an epoch.
        epochs: How many.
        step_s: Seconds that a step sleeps before it computes.
        callback: Class path of what watches it.
        settings: The callback's arguments.
    """

    name: str
    ranks: int
    channels: tuple[int, ...]
    steps: int
    epochs: int
    callback: str
    settings: dict[str, Any]
    step_s: float = 0.0

    def start(self, *arguments: str) -> subprocess.Popen[bytes]:
        """Start it; what it prints goes to `<name>.log`.

        Args:
            arguments: More options of the command.
        """
        file = Path(f"{self.name}.yaml")
        file.write_text(yaml.safe_dump(self._config()), encoding="utf-8")
        command = [sys.executable, "-m", "lit_medseg", "fit", "--config", file.name, *arguments]
        environment = {**os.environ, "PYTHONPATH": f"{ROOT}{os.pathsep}{HERE}", "OMP_NUM_THREADS": "1"}
        environment["MKL_NUM_THREADS"] = environment["OPENBLAS_NUM_THREADS"] = "1"
        with Path(f"{self.name}.log").open("ab") as log:
            return subprocess.Popen(command, stdout=log, stderr=log, env=environment)

    def run(self, *arguments: str) -> None:
        """Start it and wait for its end.

        Raises:
            RuntimeError: It failed.
        """
        process = self.start(*arguments)
        try:
            status = process.wait()
        except BaseException:
            process.terminate()
            raise
        if status:
            raise self.failed(status)

    def failed(self, status: int) -> RuntimeError:
        """Give the error that says what it printed last."""
        printed = Path(f"{self.name}.log").read_text(encoding="utf-8", errors="replace")[-3000:]
        return RuntimeError(f"{self.name}: fit ended early, expected it to go on, got exit status {status}.\n{printed}")

    def _config(self) -> dict[str, Any]:
        config: dict[str, Any] = yaml.safe_load((ROOT / "experiments/volumes_quickstart.yaml").read_text())
        watch = [{"class_path": self.callback, "init_args": self.settings}]
        config["trainer"] = {"accelerator": "cpu", "devices": self.ranks, "callbacks": watch}
        config["trainer"] |= {"max_epochs": self.epochs, "limit_train_batches": self.steps}
        if self.ranks > 1:
            config["trainer"]["strategy"] = _DDP
        network = {"channels": list(self.channels), "step_s": self.step_s}
        config["model"]["init_args"]["network"] = {"class_path": "slow_unet.SlowUNet", "init_args": network}
        data = config["data"]["init_args"]
        data["training"] |= {"patch_size": [16, 32, 32], "repeats": self.steps}  # 4 cases or more make a batch
        data["loading"] |= {"workers": 0}  # each step loads its own batch: no worker runs ahead of the clock
        return config


def read_lines(file: Path) -> list[dict[str, Any]]:
    """Read what a callback has written, one JSON a line; none for a missing file."""
    if not file.exists():
        return []
    text = file.read_text(encoding="utf-8")
    return [json.loads(line) for line in text.splitlines(keepends=True) if line.endswith("\n")]


def add_line(file: Path, content: dict[str, Any]) -> None:
    """Add one line of JSON, which another process may read at once."""
    with file.open("a", encoding="utf-8") as lines:
        lines.write(json.dumps(content) + "\n")
