"""A tracking server that vanishes, hangs, lies or is slow: training goes on, and nothing is lost or doubled."""

import json
import math
import signal
import sys
import threading
import time
import urllib.request
from collections import Counter
from contextlib import suppress

import pytest
from mlflow.entities import Metric
from mlflow.exceptions import MlflowException

from lit_medseg.commands import sync
from lit_medseg.tracking import queue as queue_module
from lit_medseg.tracking.attach import begin_run
from lit_medseg.tracking.kept_address import kept_address
from lit_medseg.tracking.lazy_client import LazyClient
from lit_medseg.tracking.queue import RecordQueue
from lit_medseg.tracking.records import Record, read_records
from lit_medseg.tracking.run_folder import create_run_folder
from lit_medseg.tracking.run_logger import RunLogger
from lit_medseg.tracking.store import connect, open_store
from tests.tracking.mlflow_server import SECRET, Gate

FIRST_MS = 1_700_000_000_000


@pytest.fixture(autouse=True)
def _impatient(monkeypatch):
    monkeypatch.setattr(queue_module, "LINGER_S", 0.02)
    monkeypatch.setattr(queue_module, "FIRST_RETRY_S", 0.05)
    monkeypatch.setattr(queue_module, "LAST_RETRY_S", 0.2)
    monkeypatch.setattr(queue_module, "SILENT_S", 5.0)
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "2")


@pytest.fixture
def new_run(tmp_path):
    """Make a run in a store, with its logger."""
    loggers = []

    def make(uri):
        folder = create_run_folder(tmp_path / "runs", "away", "abcdef0123456789")
        loggers.append(begin_run(folder, open_store(uri, "away"), {}))
        return loggers[-1]

    yield make
    for logger in loggers:
        if logger.queue is not None:
            logger.queue.close(0.0)


def metrics(steps, key="loss"):
    return [Record("metric", key, step / 7, step, FIRST_MS + step) for step in steps]


def history(postgres, run_id):
    """All that the database holds of a run's metrics, in order, straight from its table."""
    sql = "SELECT key, step, value, timestamp, is_nan FROM metrics WHERE run_uuid = %s ORDER BY timestamp, key"
    return postgres.query("mlflow", sql, run_id)


def expected(steps, key="loss"):
    return [(key, step, step / 7, FIRST_MS + step, False) for step in steps]


def status_of(server, run_id):
    """Status and end of a run as the server's own answer has them."""
    with urllib.request.urlopen(f"{server.uri}/api/2.0/mlflow/runs/get?run_id={run_id}", timeout=10) as answer:
        info = json.loads(answer.read())["run"]["info"]
    return info["status"], info.get("end_time")


@pytest.mark.slow
def test_server_hangs_dies_and_its_database_restarts(postgres, postgres_server, new_run):
    logger = new_run(postgres_server.uri)
    queue, run_id = logger.queue, logger.run_id
    queue.put(*metrics(range(1500)))
    assert queue.flush(20)
    postgres_server.send(signal.SIGSTOP)
    started = time.monotonic()
    for step in range(1500, 3000):
        queue.put(*metrics([step]))
    assert time.monotonic() - started < 2.0, "training must not wait for the server"
    time.sleep(1.0)
    postgres_server.kill()
    for step in range(3000, 4000):
        queue.put(*metrics([step]))
    assert queue.waiting >= 2500
    postgres_server.start()
    assert queue.flush(30)
    # The server keeps its connections to a database that is gone: its answers are wrong in many ways, none is final.
    postgres.stop()
    queue.put(*metrics(range(4000, 5000)), Record("tag", "while", "away"))
    assert not queue.flush(1.0)
    postgres.start()
    queue.put(*metrics(range(5000, 5500)))
    assert logger.close("FINISHED", timeout_s=60)
    assert history(postgres, run_id) == expected(range(5500))
    assert postgres.query("mlflow", "SELECT value FROM tags WHERE run_uuid = %s AND key = 'while'", run_id) == [
        ("away",)
    ]
    assert not (logger.folder.path / "refused.jsonl").exists()
    assert status_of(postgres_server, run_id)[0] == "FINISHED"


def test_an_answer_that_is_lost_doubles_nothing(postgres, postgres_server, new_run):
    with Gate(postgres_server.uri) as gate:
        logger = new_run(gate.uri)
        run_id = logger.run_id
        odd = [
            Record("metric", "odd", value, 0, FIRST_MS + i) for i, value in enumerate([math.nan, math.inf, -math.inf])
        ]
        # An attempt and MLflow's own repetition of it are lost, three times in a row: six times the same records.
        gate.lose = 6
        logger.queue.put(*metrics(range(2500)), *odd, Record("param", "p", "1"), Record("tag", "t", "1"))
        assert logger.queue.flush(60)
        assert logger.close("FINISHED")
    assert gate.lose == 0
    assert gate.seen.count("/api/2.0/mlflow/runs/log-batch") >= 9
    found = history(postgres, run_id)
    assert sorted(row for row in found if row[0] == "loss") == expected(range(2500))
    assert [(row[2], row[4]) for row in found if row[0] == "odd"] == [
        (0.0, True),
        (sys.float_info.max, False),
        (-sys.float_info.max, False),
    ]


@pytest.mark.parametrize("status", [400, 401, 403, 404, 429, 500, 503])
def test_a_status_that_may_pass_refuses_nothing(postgres, postgres_server, new_run, status):
    with Gate(postgres_server.uri) as gate:
        logger = new_run(gate.uri)
        run_id = logger.run_id
        gate.status = status
        logger.queue.put(*metrics(range(30)), Record("status", "status", "KILLED", time_ms=FIRST_MS))
        assert not logger.queue.flush(0.6)
        assert logger.queue.waiting == 31
        gate.status = 0
        assert logger.queue.flush(20)
    assert history(postgres, run_id) == expected(range(30))
    assert status_of(postgres_server, run_id) == ("KILLED", FIRST_MS)
    assert not (logger.folder.path / "refused.jsonl").exists()


def test_a_file_that_is_not_taken_holds_up_nothing_else(postgres, postgres_server, new_run):
    with Gate(postgres_server.uri) as gate:
        gate.only = "mlflow-artifacts"
        logger = new_run(gate.uri)
        folder, run_id = logger.folder.path, logger.run_id
        (folder / "large.txt").write_text("large")
        (folder / "small.txt").write_text("small")
        gate.status = 413
        logger.log_artifact(folder / "large.txt")
        logger.queue.put(*metrics(range(10)))
        assert logger.queue.flush(20)
        [refused] = [json.loads(line) for line in (folder / "refused.jsonl").read_text().splitlines()]
        assert refused["record"]["value"] == "large.txt"
        assert "413" in refused["reason"]
        gate.status = 500  # its storage is away; the server itself is there
        logger.log_artifact(folder / "small.txt", "texts")
        logger.queue.put(*metrics(range(10, 20)))
        deadline = time.monotonic() + 20
        while len(history(postgres, run_id)) < 20:
            assert time.monotonic() < deadline
            time.sleep(0.1)
        assert logger.queue.waiting == 1
        gate.status = 0
        assert logger.close("FINISHED")
    [stored] = [path for path in postgres_server.files.rglob("small.txt") if run_id in path.parts]
    assert stored.read_text() == "small"
    assert history(postgres, run_id) == expected(range(20))


def test_a_file_that_changed_often_while_the_server_was_away_goes_once(postgres_server, new_run):
    with Gate(postgres_server.uri) as gate:
        logger = new_run(gate.uri)
        gate.status = 503
        for version in range(20):
            (logger.folder.path / "best.txt").write_text(f"version {version}")
            logger.log_artifact(logger.folder.path / "best.txt")
        gate.status = 0
        run_id = logger.run_id
        assert logger.close("FINISHED")
        uploads = [path for path in gate.seen if path.endswith("best.txt")]
    [stored] = [path for path in postgres_server.files.rglob("best.txt") if run_id in path.parts]
    assert stored.read_text() == "version 19"
    assert len(uploads) <= 3  # in vain before, and once


def test_a_slow_server_slows_nothing_and_the_end_says_what_waits(postgres_server, new_run, caplog, capsys):
    with Gate(postgres_server.uri) as gate:
        logger = new_run(gate.uri)
        folder = logger.folder.path
        gate.delay_s = 1.0
        started = time.monotonic()
        for step in range(500):
            logger.log_metrics({"loss": step}, step)
        for number in range(20):
            (folder / f"{number}.txt").write_text("x")
            logger.log_artifact(folder / f"{number}.txt")
        assert time.monotonic() - started < 0.5
        assert not logger.close("FINISHED", timeout_s=3.0)
        assert 3.0 <= time.monotonic() - started < 7.0
        last = caplog.messages[-1]
        waiting = sum(1 for _ in read_records(folder / "records.jsonl", _sent(folder)))
        assert 10 <= waiting <= 21
        assert f"{waiting} records wait" in last or f"{waiting + 1} records wait" in last
        assert "python -m lit_medseg sync runs/away/abcdef01-1" in last
        gate.delay_s = 0.0
        assert sync.main(["runs/away/abcdef01-1"]) == 0
        assert "all sent" in capsys.readouterr().out
    assert status_of(postgres_server, logger.folder.read().run_id)[0] == "FINISHED"


def _sent(folder):
    return json.loads((folder / "sent.json").read_text())["bytes"]


def test_a_run_goes_on_while_the_server_is_away(postgres, postgres_server, new_run):
    """The next attempt begins, is RUNNING and ends without the server, which learns all of it later."""
    with Gate(postgres_server.uri) as gate:
        logger = new_run(gate.uri)
        folder, run_id = logger.folder, logger.run_id
        logger.queue.put(*metrics(range(10)))
        assert logger.close("KILLED", "preempted")
        first_end = status_of(postgres_server, run_id)[1]
        gate.status = 503
        queue = RecordQueue(folder.path, run_id, LazyClient(gate.uri))
        folder.take()
        queue.put(Record("status", "status", "RUNNING"))
        again = RunLogger(folder, queue, resumed=True)
        queue.put(*metrics(range(10, 20)))
        assert not queue.flush(0.5)
        gate.status = 0
        assert queue.flush(20)
        # MLflow has no way to take an end back: the list of runs shows RUNNING, with the first attempt's duration.
        assert status_of(postgres_server, run_id) == ("RUNNING", first_end)
        assert again.close("FINISHED")
    status, end = status_of(postgres_server, run_id)
    assert status == "FINISHED"
    assert end > first_end
    assert history(postgres, run_id) == expected(range(20))


def test_no_password_in_messages_and_files(postgres, postgres_server, new_run, caplog, monkeypatch):
    uri = postgres.address("mlflow")
    logger = new_run(uri)
    path, run_id = logger.folder.path, logger.run_id
    assert SECRET not in (path / "store.json").read_text()
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    assert kept_address(path) == uri
    assert logger.close("KILLED", "x")
    postgres.stop()
    queue = RecordQueue(path, run_id, LazyClient(uri))
    queue.put(*metrics(range(5)))
    assert not queue.flush(1.0)
    postgres.start()
    assert queue.close(30)
    assert "does not answer" in caplog.text
    assert SECRET not in caplog.text
    rows = postgres.query("mlflow", "SELECT step FROM metrics WHERE run_uuid = %s ORDER BY step", run_id)
    assert rows == [(step,) for step in range(5)]
    assert all(SECRET not in file.read_text() for file in path.rglob("*") if file.is_file())


def test_two_attempts_at_once_on_one_database(postgres, postgres_server, new_run, monkeypatch):
    """A request that hangs in the server may still be at work when its repetition comes: both at once."""
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "30")
    logger = new_run(postgres_server.uri)
    run_id = logger.run_id
    same = metrics(range(300))
    client = connect(postgres_server.uri)

    def send():
        with suppress(MlflowException):  # nobody waits for its answer any more
            client.log_batch(run_id, [Metric(r.key, float(r.value), r.time_ms, r.step) for r in same])

    threads = [threading.Thread(target=send) for _ in range(3)]
    for thread in threads:
        thread.start()
    logger.queue.put(*same)
    for thread in threads:
        thread.join()
    assert logger.queue.flush(60)
    assert logger.close("FINISHED")
    assert Counter(history(postgres, run_id)) == Counter(expected(range(300)))


def test_a_server_that_is_slow_to_make_a_run_makes_one(postgres, postgres_server, new_run, monkeypatch):
    """The queue's limit of two seconds, and MLflow's repetition after it, would make two."""
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "1")
    with Gate(postgres_server.uri) as gate:
        gate.only, gate.delay_s = "runs/create", 3.0
        logger = new_run(gate.uri)
        assert [path for path in gate.seen if "runs/create" in path] == ["/api/2.0/mlflow/runs/create"]
        assert logger.close("FINISHED")
