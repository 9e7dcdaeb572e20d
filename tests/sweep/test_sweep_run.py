"""The sweep's own run: one worker writes it, and another goes on when that one is gone."""

import sqlite3
import subprocess
import sys
from contextlib import closing
from dataclasses import replace

from lit_medseg.sweep.place import Place
from lit_medseg.sweep.sweep_run import SweepRun
from lit_medseg.tracking.records import Record
from tests.commands.rank_commands import until
from tests.own_environment import own_environment
from tests.sweep.sweep_runs import mlflow_runs

LEADS = """
import sys
from pathlib import Path
from lit_medseg.sweep.place import Place
from lit_medseg.sweep.sweep_run import SweepRun
from lit_medseg.tracking.records import Record

run = SweepRun(Place(Path(sys.argv[1]), "search"), sys.argv[2])
run.open("hash", {"sweep": "search"})
run.put(Record("tag", "first", "yes"), Record("metric", "trial/val/dice", 0.5, 3))
print("leads", flush=True)
sys.stdin.readline()
run.end(None)  # others still work
"""


def test_a_worker_leads_when_the_one_who_led_is_gone(tmp_path):
    root, uri = tmp_path / "runs", f"sqlite:///{tmp_path / 'mlflow.db'}"
    command = [sys.executable, "-c", LEADS, str(root), uri]
    streams = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, env=own_environment(), **streams) as first:
        assert first.stdout.readline() == "leads\n"
        run = SweepRun(Place(root, "search"), uri)
        run.open("hash", {})
        assert not run.leads
        assert not run.lead()
        run.put(Record("tag", "lost", "yes"))  # it does not write
        first.stdin.write("leave\n")
        first.stdin.flush()
        assert first.wait(120) == 0
    assert run.lead()
    run.mark("KILLED", "told to stop")  # who is killed from here on has left the truth
    assert Place(root, "search").folder.read().status == "KILLED"
    until(lambda: mlflow_runs(tmp_path, "search")[0][1] == "KILLED", 60.0, lambda: "not marked")
    run.put(Record("tag", "second", "yes"))
    run.put_once(Record("tag", "first", "no"), Record("param", "budget/trials", "8"))
    run.put(Record("metric", "trial/val/dice", 0.5, 3), Record("metric", "trial/val/dice", 0.7, 4))  # the first again
    run.end("FINISHED")
    ((name, status, tags),) = mlflow_runs(tmp_path, "search")
    assert (name, status) == ("search", "FINISHED")
    assert {"first", "second"} <= set(tags)
    assert tags["first"] == "yes"
    assert "lost" not in tags
    with closing(sqlite3.connect(tmp_path / "mlflow.db")) as store:
        assert store.execute("select key, value from params").fetchall() == [("budget/trials", "8")]
        assert store.execute("select step, value from metrics order by step").fetchall() == [(3, 0.5), (4, 0.7)]


def test_a_first_worker_that_is_killed_before_it_knows_its_run_leaves_no_second_one(tmp_path):
    root, uri = tmp_path / "runs", f"sqlite:///{tmp_path / 'mlflow.db'}"
    run = SweepRun(Place(root, "search"), uri)
    run.open("hash", {"sweep": "search"})
    first = run.run_id
    run.end(None)
    folder = Place(root, "search").folder
    folder.write(replace(folder.read(), run_id=""))
    run = SweepRun(Place(root, "search"), uri)
    run.open("hash", {"sweep": "search"})
    assert (run.run_id, run.leads) == (first, True)
    assert [one[:2] for one in mlflow_runs(tmp_path, "search")] == [("search", "RUNNING")]
    run.end("FINISHED")
    assert [one[:2] for one in mlflow_runs(tmp_path, "search")] == [("search", "FINISHED")]
