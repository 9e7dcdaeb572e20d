"""A parent's run in a real store, begun, interrupted and gone on with."""

import signal
import subprocess
import sys

import pytest

from lit_medseg.errors import TrackingError
from lit_medseg.tracking.parent_run import ParentRun
from lit_medseg.tracking.run_folder import RunFolder, create_run_folder
from lit_medseg.tracking.store import connect, open_store
from tests.own_environment import own_environment

KILLED = """
import os, signal, sys
from pathlib import Path
from lit_medseg.tracking.parent_run import ParentRun
from lit_medseg.tracking.run_folder import RunFolder, create_run_folder

RunFolder.set_run_id = lambda *_: os.kill(os.getpid(), signal.SIGKILL)  # at the worst moment
ParentRun.begin(create_run_folder(Path(sys.argv[1]), "exp", "abc", "cv"), sys.argv[2], {"verb": "crossval"})
"""


@pytest.fixture
def uri(tmp_path):
    return f"sqlite:///{tmp_path / 'mlflow.db'}"


def test_a_run_that_is_interrupted_and_goes_on(tmp_path, uri):
    folder = create_run_folder(tmp_path / "runs", "exp", "abc", "cv")
    first = ParentRun.begin(folder, uri, {"verb": "crossval"})
    first.params({"crossval/folds": 3})
    first.metrics({"fold/dice": 0.5}, step=0)
    (folder.path / "table.csv").write_text("a\n")
    first.artifact(folder.path / "table.csv", "cases")
    assert first.close("KILLED", "told to stop")
    assert (folder.read().status, folder.read().reason) == ("KILLED", "told to stop")
    client = connect(uri)
    assert client.get_run(first.run_id).info.status == "KILLED"
    second = ParentRun.resume(folder, uri, {"verb": "crossval"})
    assert second.run_id == first.run_id
    assert folder.read().status == "RUNNING"
    second.params({"crossval/folds": 3, "crossval/val": 0.15})
    second.metrics({"fold/dice": 0.5}, step=0)
    second.metrics({"fold/dice": 0.6}, step=1)
    second.metrics({"cv/hd95_mm": float("nan")})
    second.metrics({"cv/hd95_mm": float("nan")})
    assert second.close("FINISHED")
    run = client.get_run(first.run_id)
    assert run.info.status == "FINISHED"
    assert run.data.params == {"crossval/folds": "3", "crossval/val": "0.15"}
    assert run.data.tags["end_reason"] == ""
    history = client.get_metric_history(first.run_id, "fold/dice")
    assert [(point.step, point.value) for point in history] == [(0, 0.5), (1, 0.6)]
    assert len(client.get_metric_history(first.run_id, "cv/hd95_mm")) == 1
    assert [item.path for item in client.list_artifacts(first.run_id, "cases")] == ["cases/table.csv"]


def test_a_scheduled_run_gets_its_mlflow_run_when_it_begins(tmp_path, uri):
    folder = create_run_folder(tmp_path / "runs", "exp", "abc", "cv")
    folder.end("SCHEDULED")
    run = ParentRun.resume(folder, uri, {"verb": "crossval"})
    assert run.close("FINISHED")
    assert connect(uri).get_run(run.run_id).data.tags["verb"] == "crossval"


def test_a_process_that_is_killed_while_it_makes_the_mlflow_run_leaves_no_second_one(tmp_path, uri):
    root = tmp_path / "runs"
    command = [sys.executable, "-c", KILLED, str(root), uri]
    assert subprocess.run(command, env=own_environment(), check=False).returncode == -signal.SIGKILL
    folder = RunFolder(root / "exp" / "cv")
    assert (folder.read().status, folder.read().run_id) == ("RUNNING", "")
    store = open_store(uri, "exp")
    (left,) = store.client.search_runs([store.experiment_id])
    assert left.info.status == "RUNNING"
    run = ParentRun.resume(folder, uri, {"verb": "crossval"})
    assert run.run_id == left.info.run_id
    assert run.close("FINISHED")
    (left,) = store.client.search_runs([store.experiment_id])
    assert (left.info.status, left.data.tags["verb"]) == ("FINISHED", "crossval")


def test_a_new_run_needs_its_store(tmp_path):
    folder = create_run_folder(tmp_path / "runs", "exp", "abc", "cv")
    with pytest.raises(TrackingError):
        ParentRun.begin(folder, "http://127.0.0.1:9", {})
    assert folder.read().status == "FAILED"
