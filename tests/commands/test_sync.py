import json
import os
import shutil
import subprocess
import sys

import pytest

from lit_medseg.main import main
from lit_medseg.tracking import queue as queue_module
from lit_medseg.tracking.attach import begin_run
from lit_medseg.tracking.queue import RecordQueue
from lit_medseg.tracking.records import Record
from lit_medseg.tracking.run_folder import create_run_folder
from lit_medseg.tracking.store import connect, open_store

OTHER_HOST = {"host": "elsewhere", "pid": 1, "mark": "x"}


@pytest.fixture(scope="module")
def template(tmp_path_factory):
    """A store with an experiment; its tables are made once."""
    folder = tmp_path_factory.mktemp("sync-store")
    open_store(f"sqlite:///{folder / 'mlflow.db'}", "a")
    return folder / "mlflow.db"


@pytest.fixture
def place(template, tmp_path, monkeypatch):
    """A working folder with a store that can be taken away."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(queue_module, "LINGER_S", 0.02)
    monkeypatch.setattr(queue_module, "FIRST_RETRY_S", 0.05)
    return Place(tmp_path, template)


class Place:
    def __init__(self, folder, template):
        self.store = folder / "mlflow.db"
        self.uri = f"sqlite:///{self.store}"
        self.away = folder / "away.db"
        self.folder = folder
        shutil.copy(template, self.store)

    def take_away(self):
        self.store.rename(self.away)

    def bring_back(self):
        self.away.rename(self.store)

    def run(self, name, waiting, status="FINISHED"):
        """A run whose last records its process could not send."""
        folder = create_run_folder(self.folder / "runs", "a", "f" * 16, name)
        logger = begin_run(folder, open_store(self.uri, "a"), {})
        logger.log_metrics({"loss": 0.5}, 0)
        run_id = logger.run_id
        assert logger.close(None)
        queue = RecordQueue(folder.path, run_id, None)
        queue.put(*[Record("metric", "loss", step / 7, step, 1_700_000_000_000 + step) for step in range(1, waiting)])
        if status != "RUNNING":
            queue.put(Record("status", "status", status, time_ms=1_700_000_099_000))
            folder.end(status)
        queue.close(0.0)
        return folder, run_id

    def steps(self, run_id):
        return sorted(metric.step for metric in connect(self.uri).get_metric_history(run_id, "loss"))


def set_owner(folder, **changes):
    plain = json.loads((folder.path / "state.json").read_text())
    plain["owner"] = {**plain["owner"], **changes}
    (folder.path / "state.json").write_text(json.dumps(plain))


def test_all_that_waits_is_sent_where_it_belongs(place, capsys):
    first, first_id = place.run("first", 2500)
    second, second_id = place.run("second", 20, "FAILED")
    assert main(["sync"]) == 0
    out = capsys.readouterr().out
    assert "runs/a/first: 2500 records to sqlite:///mlflow.db" in out
    assert "runs/a/first: all sent" in out
    assert out.splitlines()[-1] == "2520 records sent, 0 still wait"
    assert place.steps(first_id) == list(range(2500))
    assert place.steps(second_id) == list(range(20))
    run = connect(place.uri).get_run(second_id)
    assert (run.info.status, run.info.end_time) == ("FAILED", 1_700_000_099_000)
    assert main(["sync", "--all"]) == 0
    assert capsys.readouterr().out == "nothing waits\n"
    assert main(["sync", str(first.path), str(second.path)]) == 0


def test_a_store_that_is_away_is_not_made_anew_and_the_rest_waits(place, capsys):
    _, run_id = place.run("first", 20)
    place.run("second", 20)
    place.take_away()
    assert main(["sync", "--patience", "0.3"]) == 1
    out = capsys.readouterr().out
    assert "runs/a/first: 20 records still wait, sqlite:///mlflow.db does not take them now" in out
    assert "runs/a/second" not in out, "the same store is asked once"
    assert out.splitlines()[-1] == "0 records sent, 40 still wait"
    assert not place.store.exists()
    # The store has moved: its new address, then, once it is back, its old one.
    assert main(["sync", "--tracking", f"sqlite:///{place.away}", "runs/a/second"]) == 0
    place.bring_back()
    assert main(["sync", "runs/a/first"]) == 0
    assert place.steps(run_id) == list(range(20))


def test_runs_and_store_may_move_together(place, tmp_path, monkeypatch):
    _, run_id = place.run("first", 20)
    (tmp_path / "new").mkdir()
    (tmp_path / "runs").rename(tmp_path / "new" / "runs")
    place.store.rename(tmp_path / "new" / "mlflow.db")
    monkeypatch.chdir(tmp_path / "new" / "runs")
    assert main(["sync", "a/first"]) == 0
    place.uri = f"sqlite:///{tmp_path}/new/mlflow.db"
    assert place.steps(run_id) == list(range(20))


def test_a_dead_run_is_marked_and_sent(place, capsys):
    folder, run_id = place.run("dead", 20, "RUNNING")
    set_owner(folder, mark="gone")
    assert main(["sync", "runs/a/dead"]) == 0
    assert "runs/a/dead: marked KILLED, its process is gone" in capsys.readouterr().out
    assert folder.read().status == connect(place.uri).get_run(run_id).info.status == "KILLED"
    assert place.steps(run_id) == list(range(20))


def test_a_run_in_work_is_left_alone(place, capsys):
    folder, run_id = place.run("busy", 20, "RUNNING")
    set_owner(folder, **OTHER_HOST)
    assert main(["sync", "runs/a/busy"]) == 2
    assert "runs/a/busy: in work, expected a run that has ended, got process 1 on elsewhere" in capsys.readouterr().err
    assert main(["sync", "--all"]) == 0
    assert "runs/a/busy: in work, it sends its records itself" in capsys.readouterr().out
    assert place.steps(run_id) == [0]


def test_what_is_no_run_is_named(place, capsys):
    place.run("first", 20)
    assert main(["sync", "runs/a/first", "runs/a/none", "runs"]) == 2
    err = capsys.readouterr().err
    assert "2 folders:" in err
    assert "runs/a/none: no such run, expected a folder with a state.json, got none" in err
    assert main(["sync", "nowhere"]) == 2
    assert main(["sync", "--runs_dir", "nowhere"]) == 2
    assert "--runs_dir: no such folder" in capsys.readouterr().err


def test_damaged_records_and_states_do_not_stop_the_others(place, capsys):
    damaged, _ = place.run("damaged", 20)
    cut, cut_id = place.run("lines", 20)
    (damaged.path / "state.json").write_text("{")
    lines = (cut.path / "records.jsonl").read_bytes().splitlines(keepends=True)
    lines[5] = b"\0" * 40 + b"\n"  # what a lost machine leaves
    (cut.path / "records.jsonl").write_bytes(b"".join(lines) + b'{"kind": "metric", "ke')
    assert main(["sync"]) == 1
    assert "a/damaged/state.json: the run's state cannot be read" in capsys.readouterr().out
    assert place.steps(cut_id) == [0, *(step for step in range(1, 20) if step != 5)]


def test_sync_needs_no_torch(place):
    code = "import sys, lit_medseg.commands.sync; print('torch' in sys.modules, 'mlflow' in sys.modules)"
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True, cwd=place.folder
    )
    assert done.stdout.split() == ["False", "False"]
