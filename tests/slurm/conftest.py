import contextlib
import io
import json
import re
import sys

import pytest
import yaml

from lit_medseg.main import main
from tests.commands.rank_commands import write_masks, write_yaml
from tests.slurm.cluster import Cluster
from tests.slurm.parents import Parents


@pytest.fixture(scope="session")
def cluster():
    """The one cluster of all tests; a sweep as a job array can use it too."""
    running = Cluster()
    yield running
    running.close()


class Jobs:
    """A lab's folder, with a space in its path, from which jobs are submitted."""

    def __init__(self, cluster, folder):
        self.cluster, self.folder = cluster, folder

    def submit(self, *arguments):
        """Call `submit` as a user does; gives the job's number and what was printed."""
        said = io.StringIO()
        with pytest.MonkeyPatch.context() as patch, contextlib.redirect_stdout(said):
            patch.chdir(self.folder)
            for name in ("LIT_MEDSEG_DATA", "MLFLOW_TRACKING_URI"):
                patch.delenv(name, raising=False)  # jobs have the submitter's environment
            for name, value in self.cluster.own.items():
                patch.setenv(name, value)
            patch.setattr(sys, "argv", ["lit_medseg", "submit", *map(str, arguments)])
            assert main(["submit", *map(str, arguments)]) == 0, arguments
        return re.search(r"^submitted   job (\d+):", said.getvalue(), re.MULTILINE)[1], said.getvalue()

    def go(self, number):
        """Let a job's steps take their own time."""
        (self.folder / f"go-{number}").touch()

    def steps(self, number, rank=0):
        """The steps of a job's rank, in order."""
        file = self.folder / f"steps-{number}-{rank}.jsonl"
        lines = file.read_text().splitlines() if file.is_file() else []
        return [json.loads(line) for line in lines if line.endswith("}")]


@pytest.fixture(scope="session")
def jobs(cluster, tmp_path_factory):
    folder = tmp_path_factory.mktemp("a lab's folder")
    write_masks(folder / "pairs")
    pairs = {
        "class_path": "lit_medseg.catalogue.folder_pairs.FolderPairs",
        "init_args": {"root": str(folder / "pairs"), "patient_pattern": r"(p\d+)"},
    }
    patch = {"patch_size": [24, 24], "foreground": 0.5}
    path = folder / "tiny.yaml"
    write_yaml(path, pairs, {"masks": {"organ": 255}}, "Segmentation", {"eval_batch_size": 4}, patch)
    content = yaml.safe_load(path.read_text())
    content["trainer"] = {
        "max_epochs": 10,
        "callbacks": [{"class_path": "tests.slurm.slow_steps.SlowSteps"}],
    }
    path.write_text(yaml.safe_dump(content))
    return Jobs(cluster, folder)


@pytest.fixture(scope="session")
def parents(jobs):
    """Submitted by whoever asks first, so that they work while others only wait."""
    return Parents(jobs)
