"""The sweep's own run: one worker writes it, and another goes on when that one is gone."""

import subprocess
import sys

from lit_medseg.sweep.place import Place
from lit_medseg.sweep.sweep_run import SweepRun
from lit_medseg.tracking.records import Record
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
run.put(Record("tag", "first", "yes"))
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
    run.put(Record("tag", "second", "yes"))
    run.end("FINISHED")
    ((name, status, tags),) = mlflow_runs(tmp_path, "search")
    assert (name, status) == ("search", "FINISHED")
    assert {"first", "second"} <= set(tags)
    assert "lost" not in tags
