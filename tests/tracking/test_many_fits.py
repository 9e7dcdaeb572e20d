"""Many fits at once on one store, which is away for a while: every record is counted, on both sides."""

import json
import os
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from contextlib import closing
from pathlib import Path

import pytest
import yaml

from lit_medseg.commands import sync
from lit_medseg.tracking.records import read_records
from tests.commands.tiny_experiments import segmentation

ROOT = Path(__file__).parents[2]


def start_fits(work, number, steps_s, epochs, tracking, log="fits.log"):
    """Start fits whose training alone takes `steps_s` times two per epoch."""
    settings = segmentation(trainer={"max_epochs": epochs, "log_every_n_steps": 1})
    network = {"class_path": "tests.commands.rank_fakes.TinyNetwork", "init_args": {"step_s": steps_s}}
    settings["model"]["init_args"]["network"] = network
    settings["data"]["init_args"]["loading"]["workers"] = 0
    (work / "many.yaml").write_text(yaml.safe_dump(settings))
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "tests.tracking.fork_fits", str(number), "many.yaml", "--tracking", tracking]
    with (work / log).open("wb") as output:
        return subprocess.Popen(
            command, cwd=work, env=environment, stdout=output, stderr=output, start_new_session=True
        )


def wait_for(condition, process, log, timeout_s=150.0):
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert process.poll() is None, log.read_text()
        assert time.monotonic() < deadline, log.read_text()
        time.sleep(0.1)


def steps_of(work, index):
    """Steps that a run has recorded in its folder."""
    records = read_records(work / "runs" / "many" / f"r{index}" / "records.jsonl")
    return sum(1 for record, _ in records if record is not None and record.key == "train/loss")


def check_run(folder, query, files):
    """Compare everything that a run recorded with everything that the database and the artifact folder hold."""
    state = json.loads((folder / "state.json").read_text())
    run_id = state["run_id"]
    records = [record for record, _ in read_records(folder / "records.jsonl")]
    assert None not in records
    sent = Counter((r.key, r.step, r.time_ms, r.value) for r in records if r.kind == "metric")
    rows = query("SELECT key, step, timestamp, value FROM metrics WHERE run_uuid = {}", run_id)
    assert max(sent.values()) == 1
    assert Counter((key, step, time_ms, value) for key, step, time_ms, value in rows) == sent
    params = {r.key: r.value for r in records if r.kind == "param"}
    assert dict(query("SELECT key, value FROM params WHERE run_uuid = {}", run_id)) == params
    tags = {r.key: r.value for r in records if r.kind == "tag"}
    stored = dict(query("SELECT key, value FROM tags WHERE run_uuid = {}", run_id))
    assert {key: stored.get(key) for key in tags} == tags
    for record in (r for r in records if r.kind == "artifact"):
        [copy] = [path for path in files.rglob(Path(record.value).name) if run_id in path.parts and _in(path, record)]
        assert copy.read_bytes() == (folder / record.value).read_bytes()
    assert query("SELECT status FROM runs WHERE run_uuid = {}", run_id) == [("FINISHED",)]
    assert state["status"] == "FINISHED"
    assert not (folder / "refused.jsonl").exists()
    return len(rows)


def _in(path, record):
    return not record.key or path.parent.as_posix().endswith(record.key)


@pytest.mark.slow
def test_eight_fits_on_a_server_that_goes_and_comes_back(tmp_path, postgres, postgres_server):
    log = tmp_path / "fits.log"
    fits = start_fits(tmp_path, 8, 0.4, 30, postgres_server.uri)
    try:
        wait_for(lambda: min(steps_of(tmp_path, index) for index in range(8)) >= 3, fits, log)
        postgres_server.kill()
        gone = [steps_of(tmp_path, index) for index in range(8)]
        wait_for(lambda: all(steps_of(tmp_path, i) >= gone[i] + 4 for i in range(8)), fits, log)
        postgres_server.start()
        assert fits.wait(150) == 0, log.read_text()
    finally:
        fits.kill()
        fits.wait()
    # On a busy machine the server may come back after the end of the first fits.
    assert sync.main(["--runs_dir", str(tmp_path / "runs")]) == 0

    def query(sql, run_id):
        return postgres.query("mlflow", sql.format("%s"), run_id)

    counted = [check_run(tmp_path / "runs" / "many" / f"r{i}", query, postgres_server.files) for i in range(8)]
    assert min(counted) >= 2 * 30 * 2
    names = postgres.query("mlflow", "SELECT name FROM runs WHERE name LIKE 'r_' ORDER BY name")
    assert names == [(f"r{index}",) for index in range(8)]
    assert "MLflow does not answer" in log.read_text()
    assert "MLflow answers again" in log.read_text()


@pytest.mark.slow
def test_four_fits_on_one_sqlite_file(tmp_path):
    log = tmp_path / "fits.log"
    fits = start_fits(tmp_path, 4, 0.0, 6, f"sqlite:///{tmp_path / 'mlflow.db'}")
    try:
        assert fits.wait(200) == 0, log.read_text()
    finally:
        fits.kill()
        fits.wait()

    def query(sql, run_id):
        with closing(sqlite3.connect(tmp_path / "mlflow.db")) as store:
            return store.execute(sql.format("?"), (run_id,)).fetchall()

    for index in range(4):
        assert check_run(tmp_path / "runs" / "many" / f"r{index}", query, tmp_path / "mlartifacts") >= 2 * 6 * 2
