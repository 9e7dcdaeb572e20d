"""A working folder in which commands are called, and what their runs left."""

import json
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch
import yaml

from lit_medseg.main import main
from lit_medseg.tracking.run_folder import RunFolder, all_runs
from lit_medseg.tracking.store import connect


@dataclass(frozen=True)
class Run:
    """One run: its folder, and the run that MLflow holds."""

    path: Path
    store: str

    @property
    def status(self):
        return RunFolder(self.path).read().status

    @property
    def id(self):
        return json.loads((self.path / "state.json").read_text())["run_id"]

    @property
    def client(self):
        return connect(self.store)

    @property
    def mlflow(self):
        return self.client.get_run(self.id)

    def history(self, key):
        return [point.value for point in self.client.get_metric_history(self.id, key)]

    def artifacts(self, folder=""):
        found = []
        for item in self.client.list_artifacts(self.id, folder or None):
            found += self.artifacts(item.path) if item.is_dir else [item.path]
        return found

    def download(self, artifact):
        return Path(self.client.download_artifacts(self.id, artifact))

    def checkpoint(self, name="last"):
        return torch.load(self.path / "checkpoints" / f"{name}.ckpt", weights_only=True)

    def weights(self, name="last"):
        return self.checkpoint(name)["state_dict"]

    @property
    def predictions(self):
        return self.path / "predictions"


class Workplace:
    """Data, cache, runs and the MLflow file of several runs; one experiment's name is used by one test alone."""

    def __init__(self, folder):
        self.folder = folder
        self.store = f"sqlite:///{folder / 'mlflow.db'}"

    def call(self, *argv):
        """Run a command as a user does who stands in the folder."""
        with pytest.MonkeyPatch.context() as patch:
            patch.chdir(self.folder)
            for name in ("MLFLOW_TRACKING_URI", "LIT_MEDSEG_DATA"):
                patch.delenv(name, raising=False)
            patch.setattr(sys, "argv", ["lit_medseg", *argv])
            assert main(list(argv)) == 0, argv

    def write(self, name, settings):
        path = self.folder / f"{name}.yaml"
        path.write_text(yaml.safe_dump(settings, sort_keys=False))
        return path.name

    def runs(self, experiment):
        return [Run(run.path, self.store) for run in all_runs(self.folder / "runs") if run.experiment == experiment]

    def fit(self, name, settings, *arguments):
        """Fit once under a name, and give the only run."""
        self.call("fit", "--config", self.write(name, settings), *arguments)
        (run,) = self.runs(name)
        return run
