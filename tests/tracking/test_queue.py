import errno
import json
import math
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from lit_medseg.errors import TrackingError
from lit_medseg.tracking import queue as queue_module
from lit_medseg.tracking.attach import begin_run, continue_run
from lit_medseg.tracking.mark_dead import mark_dead
from lit_medseg.tracking.note import NOTE_TAG, failure_note
from lit_medseg.tracking.queue import RecordQueue
from lit_medseg.tracking.records import Record
from lit_medseg.tracking.run_folder import create_run_folder, dead_runs
from lit_medseg.tracking.store import open_store


@pytest.fixture(autouse=True)
def _impatient(monkeypatch):
    monkeypatch.setattr(queue_module, "LINGER_S", 0.05)
    monkeypatch.setattr(queue_module, "FIRST_RETRY_S", 0.05)
    monkeypatch.setattr(queue_module, "LAST_RETRY_S", 0.2)
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "1")


@pytest.fixture
def open_queue(tmp_path):
    """Make a queue for a new run in a store."""
    queues = []

    def make(uri, name="run"):
        store = open_store(uri, "queue")
        folder = tmp_path / name
        folder.mkdir()
        queue = RecordQueue(folder, store.create_run(name, {}), store.client)
        queues.append(queue)
        return queue, store.client

    yield make
    for queue in queues:
        queue.close(0.0)


def _metric(step, key="loss"):
    return Record("metric", key, step / 7, step, 1_700_000_000_000 + step)


def _history(client, run_id, key="loss"):
    return [(m.step, m.value, m.timestamp) for m in client.get_metric_history(run_id, key)]


def _expected(steps):
    return [(step, step / 7, 1_700_000_000_000 + step) for step in steps]


def test_all_kinds_arrive(database, open_queue):
    queue, client = open_queue(database)
    (queue.folder / "a.txt").write_text("hello")
    dataset = {"name": "d", "digest": "x", "source_type": "local", "source": "{}", "schema": None, "profile": None}
    queue.put(*[_metric(step) for step in range(2500)])
    queue.put(*[Record("param", f"p{index}", "v" * 6000) for index in range(250)])
    queue.put(Record("tag", "a", "1"), Record("tag", "a", "2"), Record("artifact", "texts", "a.txt"))
    queue.put(Record("input", "d", json.dumps({"dataset": dataset, "tags": {"mlflow.data.context": "training"}})))
    queue.put(Record("status", "status", "FAILED", time_ms=1_700_000_009_999))
    assert queue.flush(30)
    assert queue.waiting == 0
    run = client.get_run(queue.run_id)
    assert _history(client, queue.run_id) == _expected(range(2500))
    assert len(run.data.params) == 250
    assert run.data.tags["a"] == "2"
    assert (run.info.status, run.info.end_time) == ("FAILED", 1_700_000_009_999)
    assert [file.path for file in client.list_artifacts(queue.run_id, "texts")] == ["texts/a.txt"]
    assert run.inputs.dataset_inputs[0].dataset.name == "d"


def test_numbers_that_json_lacks_arrive(database, postgres_server, open_queue):
    for uri, name in ((database, "file"), (postgres_server.uri, "server")):
        queue, client = open_queue(uri, name)
        values = [math.nan, math.inf, -math.inf, 1.0]
        queue.put(*[Record("metric", "odd", value, step, 5) for step, value in enumerate(values)])
        assert queue.flush(20)
        found = [m.value for m in client.get_metric_history(queue.run_id, "odd")]
        assert math.isnan(found[0])
        # SQL knows no infinity: MLflow stores the largest double instead.
        assert found[1:] == [sys.float_info.max, -sys.float_info.max, 1.0]


def test_a_refused_record_is_kept_apart_and_the_others_arrive(database, open_queue):
    queue, client = open_queue(database)
    queue.put(_metric(0), Record("metric", "bad:@key", 1.0), _metric(1), Record("param", "p", "1"))
    queue.put(Record("artifact", "", "gone.txt"), Record("param", "p", "2"), _metric(2))
    assert queue.flush(20)
    assert _history(client, queue.run_id) == _expected(range(3))
    refused = [json.loads(line) for line in (queue.folder / "refused.jsonl").read_text().splitlines()]
    assert [entry["record"]["key"] for entry in refused] == ["bad:@key", "", "p"]
    assert "Names may only contain" in refused[0]["reason"]
    assert refused[1]["reason"] == "the file is gone"
    assert client.get_run(queue.run_id).data.params == {"p": "1"}


def test_a_deleted_run_waits_for_its_return(database, open_queue):
    queue, client = open_queue(database)
    client.delete_run(queue.run_id)
    queue.put(_metric(0))
    assert not queue.flush(0.5)
    client.restore_run(queue.run_id)
    assert queue.flush(20)
    assert _history(client, queue.run_id) == _expected(range(1))


def test_what_was_sent_but_not_marked_is_not_doubled(database, open_queue):
    queue, client = open_queue(database)
    queue.put(*[_metric(step) for step in range(1500)], Record("param", "p", "1"), Record("tag", "t", "1"))
    assert queue.close(20)
    (queue.folder / "sent.json").write_text(json.dumps({"bytes": 0}))
    again = RecordQueue(queue.folder, queue.run_id, client)
    again.put(_metric(1500))
    assert again.close(20)
    assert _history(client, queue.run_id) == _expected(range(1501))


def test_without_a_client_records_wait_and_a_later_process_sends_them(database, open_queue):
    queue, client = open_queue(database)
    assert queue.close(5)
    offline = RecordQueue(queue.folder, queue.run_id, None)
    offline.put(*[_metric(step) for step in range(10)])
    assert not offline.flush(5)
    assert offline.waiting == 10
    assert not offline.close(5)
    online = RecordQueue(queue.folder, queue.run_id, client)
    assert online.close(20)
    assert _history(client, queue.run_id) == _expected(range(10))


def test_only_one_process_writes(tmp_path, database, open_queue):
    queue, _ = open_queue(database)
    code = (
        "import sys; from pathlib import Path; from lit_medseg.tracking.queue_lock import QueueLock;"
        "QueueLock(Path(sys.argv[1]) / 'records.lock')"
    )
    command = [sys.executable, "-c", code, str(queue.folder)]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    second = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert "TrackingError: run run: its records are in use" in second.stderr
    queue.close(5)
    assert subprocess.run(command, env=environment, check=False).returncode == 0


def test_a_run_that_goes_on_waits_for_who_marks_it_or_sends_its_records(tmp_path, database, open_queue):
    queue, _ = open_queue(database)
    queue.close(5)
    code = (
        "import sys, time; from pathlib import Path; from lit_medseg.tracking.queue_lock import QueueLock;"
        "lock = QueueLock(Path(sys.argv[1]) / 'records.lock'); print('held', flush=True); time.sleep(1.0)"
    )
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    command = [sys.executable, "-c", code, str(queue.folder)]
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE) as other:
        assert other.stdout.readline() == b"held\n"
        with pytest.raises(TrackingError, match="run run: its records are in use"):
            RecordQueue(queue.folder, queue.run_id, None, wait_s=0.0)
        RecordQueue(queue.folder, queue.run_id, None).close()
    assert other.returncode == 0


def test_a_file_system_without_locks_is_no_obstacle(tmp_path, monkeypatch, caplog):
    def refused(*_):
        raise OSError(errno.ENOSYS, "Function not implemented")

    monkeypatch.setattr("fcntl.lockf", refused)
    queue = RecordQueue(tmp_path, "1", None)
    queue.put(_metric(0))
    queue.close(0.0)
    assert "this file system has no locks (Function not implemented)" in caplog.text


def test_threads_may_record_at_once(database, open_queue):
    queue, client = open_queue(database)

    def work(name):
        for step in range(300):
            queue.put(_metric(step, name))

    threads = [threading.Thread(target=work, args=(f"k{index}",)) for index in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert queue.flush(30)
    for index in range(4):
        assert _history(client, queue.run_id, f"k{index}") == _expected(range(300))


CHILD = """
import sys, time
from pathlib import Path
from lit_medseg.tracking.note import NOTE_TAG, failure_note
from lit_medseg.tracking.queue import RecordQueue
from lit_medseg.tracking.records import Record
from lit_medseg.tracking.run_folder import RunFolder
folder = RunFolder(Path(sys.argv[1]))
folder.take()
queue = RecordQueue(folder.path, folder.read().run_id, None)
for step in range(100, 1_000_000):
    queue.put(Record("metric", "loss", step / 7, step))
    time.sleep(0.001)
"""


def test_a_killed_run_is_marked_by_the_next_command_with_all_its_records(tmp_path, database):
    store = open_store(database, "a")
    folder = create_run_folder(tmp_path / "runs", "a", "f" * 16)
    logger = begin_run(folder, store, {})
    logger.queue.put(*[_metric(step) for step in range(100)])
    assert logger.close("KILLED", "preempted")
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    process = subprocess.Popen([sys.executable, "-c", CHILD, str(folder.path)], env=environment)
    records = folder.path / "records.jsonl"
    while records.read_bytes().count(b"\n") < 300:
        assert process.poll() is None
        time.sleep(0.02)
    assert dead_runs(tmp_path / "runs") == []
    process.kill()
    process.wait()
    lines = [json.loads(line) for line in records.read_bytes().split(b"\n")[:-1]]
    steps = [line["step"] for line in lines if line["kind"] == "metric"]
    assert mark_dead(dead_runs(tmp_path / "runs"), store.client, 20) == [folder]
    state = folder.read()
    assert state.status == "KILLED"
    assert "without a word" in state.reason
    run = store.client.get_run(state.run_id)
    assert run.info.status == "KILLED"
    assert run.data.tags["end_reason"] == state.reason
    assert [step for step, _, _ in _history(store.client, state.run_id)] == steps == list(range(len(steps)))
    assert dead_runs(tmp_path / "runs") == []


def test_a_dead_run_without_an_mlflow_run_is_marked_in_its_folder(tmp_path, database):
    folder = create_run_folder(tmp_path / "runs", "a", "f" * 16)
    state = json.loads((folder.path / "state.json").read_text())
    state["owner"]["mark"] = "gone"
    (folder.path / "state.json").write_text(json.dumps(state))
    assert mark_dead(dead_runs(tmp_path / "runs"), open_store(database, "a").client) == [folder]
    assert folder.read().status == "KILLED"


def test_a_dead_run_of_somebody_else_does_not_stop_this_one(tmp_path, database):
    """On a shared file system the folder may be another user's, who alone may write to it."""
    folder = create_run_folder(tmp_path / "runs", "a", "f" * 16)
    state = json.loads((folder.path / "state.json").read_text())
    state["owner"]["mark"] = "gone"
    (folder.path / "state.json").write_text(json.dumps(state))
    (folder.path / "records.lock").mkdir()  # cannot be opened, for root either
    assert mark_dead(dead_runs(tmp_path / "runs"), open_store(database, "a").client) == []
    assert folder.read().status == "RUNNING"


def test_a_run_that_goes_on_takes_its_failure_back(tmp_path, database):
    store = open_store(database, "a")
    folder = create_run_folder(tmp_path / "runs", "a", "f" * 16)
    logger = begin_run(folder, store, {})
    logger.log_tags({NOTE_TAG: "the page"})
    for name in ("one", "two"):
        note = failure_note(name, "a traceback", logger.queue.history())
        logger.log_tags({"failure": name, NOTE_TAG: note})
        assert note.count("the page") == note.count("**Failed**") == 1
        assert logger.close("FAILED", name)
        assert store.client.get_run(folder.read().run_id).data.tags["end_reason"] == name
        logger = continue_run(folder, store.client)
    assert logger.close("FINISHED")
    run = store.client.get_run(folder.read().run_id)
    assert run.info.status == "FINISHED"
    assert [run.data.tags[key] for key in ("end_reason", "failure", NOTE_TAG)] == ["", "", "the page"]


def test_a_living_run_is_left_alone(tmp_path, database):
    folder = create_run_folder(tmp_path / "runs", "a", "f" * 16)
    store = open_store(database, "a")
    logger = begin_run(folder, store, {})
    assert mark_dead(dead_runs(tmp_path / "runs"), store.client) == []
    assert logger.close("FINISHED")
