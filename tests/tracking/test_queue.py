import json
import math
import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from pathlib import Path

import pytest

from lit_medseg.tracking import queue as queue_module
from lit_medseg.tracking.attach import begin_run
from lit_medseg.tracking.mark_dead import mark_dead
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


def test_numbers_that_json_lacks_arrive(database, server, open_queue):
    for uri, name in ((database, "file"), (server.uri, "server")):
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


def test_server_that_hangs_then_dies_then_comes_back(server, open_queue):
    """Records go on while the server is frozen and while it is gone; all arrive once and in order."""
    queue, client = open_queue(server.uri)
    (queue.folder / "a.txt").write_text("hello")
    queue.put(*[_metric(step) for step in range(1200)])
    assert queue.flush(20)
    server.send(signal.SIGSTOP)
    started = time.monotonic()
    for step in range(1200, 2400):
        queue.put(_metric(step))
    queue.put(Record("artifact", "texts", "a.txt"))
    assert time.monotonic() - started < 1.0, "training must not wait for the server"
    time.sleep(1.5)
    server.kill()
    queue.put(*[_metric(step) for step in range(2400, 3600)])
    assert not queue.flush(0.5)
    server.start()
    queue.put(Record("status", "status", "FINISHED"))
    assert queue.flush(30)
    history = _history(client, queue.run_id)
    assert Counter(step for step, _, _ in history) == Counter(range(3600))
    assert history == _expected(range(3600))
    assert client.get_run(queue.run_id).info.status == "FINISHED"
    assert [file.path for file in client.list_artifacts(queue.run_id, "texts")] == ["texts/a.txt"]


CHILD = """
import sys, time
from pathlib import Path
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


def test_a_living_run_is_left_alone(tmp_path, database):
    folder = create_run_folder(tmp_path / "runs", "a", "f" * 16)
    store = open_store(database, "a")
    logger = begin_run(folder, store, {})
    assert mark_dead(dead_runs(tmp_path / "runs"), store.client) == []
    assert logger.close("FINISHED")
