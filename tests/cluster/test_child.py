"""Children as real processes: the program that they run is a stand-in that starts at once."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

import lit_medseg
from lit_medseg.cluster.child import poll_child, start_child, stop_children, tell_child
from lit_medseg.cluster.child_environment import child_environment, listed_devices
from lit_medseg.errors import ConfigError

REAL = str(Path(lit_medseg.__file__).parent)
PROGRAM = """
import json, os, signal, subprocess, sys, time
told = []
if "deaf" in sys.argv:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
if "orderly" in sys.argv:
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(143))
left = [subprocess.Popen(["sleep", "1000"]).pid] if "leaves" in sys.argv else []
facts = {"argv": sys.argv[1:], "environment": dict(os.environ), "pid": os.getpid(), "group": os.getpgid(0),
         "session": os.getsid(0), "left": left, "stdin": sys.stdin.read()}
with open("facts.tmp", "w") as file:
    json.dump(facts, file)
os.rename("facts.tmp", "facts.json")
print("to the log")
print("errors too", file=sys.stderr)
if "stays" in sys.argv:
    time.sleep(1000)
sys.exit(3)
"""


@pytest.fixture
def program(tmp_path, monkeypatch):
    """`python -m lit_medseg` is the stand-in, started from its folder; all other modules are the real ones."""
    package = tmp_path / "lit_medseg"
    package.mkdir()
    (package / "__init__.py").write_text(f"__path__.append({REAL!r})\n")
    (package / "__main__.py").write_text(PROGRAM)
    monkeypatch.chdir(tmp_path)
    others = set(psutil.Process().children(recursive=True))  # such as multiprocessing's tracker, which later tests need
    yield tmp_path
    for process in set(psutil.Process().children(recursive=True)) - others:
        process.kill()


def facts(folder):
    until((folder / "facts.json").exists)
    return json.loads((folder / "facts.json").read_text())


def until(condition, seconds=20):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def ended(child):
    until(lambda: poll_child(child) is not None)
    return child.returncode


def gone(pid):
    return not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE


def test_a_fit_is_told_who_its_parent_is_and_writes_to_the_end_of_its_log(program):
    log = program / "folds" / "fold0.log"
    for _ in range(2):
        child = start_child(["fit", "--config", "an experiment.yaml"], (), log)
        assert ended(child) == 3
    found = facts(program)
    assert found["argv"] == ["fit", "--config", "an experiment.yaml", "--parent_pid", str(os.getpid())]
    assert found["pid"] == found["group"] == found["session"] == child.pid != os.getpgid(0)
    assert found["stdin"] == ""
    lines = log.read_text().splitlines()
    assert sorted(lines.count(line) for line in set(lines)) in ([1, 1, 2, 2], [2, 2, 2])
    assert lines[0].endswith("] fit --config 'an experiment.yaml'")
    assert {"to the log", "errors too"} <= set(lines)


def test_nothing_of_a_child_stays_behind(program):
    child = start_child(["fit", "stays", "leaves"], (), program / "log")
    [left] = facts(program)["left"]
    assert poll_child(child) is None
    os.kill(child.pid, signal.SIGKILL)
    assert ended(child) == -signal.SIGKILL
    until(lambda: gone(left), 5)
    tell_child(child)  # nobody is there any more
    assert poll_child(child) == -signal.SIGKILL


def test_children_are_told_to_stop_and_killed_when_they_do_not(program):
    orderly = start_child(["fit", "stays", "orderly"], (), program / "a")
    facts(program)
    (program / "facts.json").unlink()
    deaf = start_child(["fit", "stays", "leaves", "deaf"], (), program / "b")
    [left] = facts(program)["left"]
    done = start_child(["fit"], (), program / "c")
    until(lambda: "to the log" in (program / "c").read_text() and psutil.Process(done.pid).status() == "zombie")
    start = time.monotonic()
    assert stop_children([orderly, deaf, done], 2.0) == [143, -signal.SIGKILL, 3]
    assert 2.0 <= time.monotonic() - start < 4.0
    until(lambda: gone(left), 5)
    assert stop_children([orderly], 60.0) == [143]


def test_a_verb_with_nothing_to_save_ends_with_its_parent(program):
    text = """
import time
from pathlib import Path
from lit_medseg.cluster.child import start_child
start_child(["test", "stays"], (), Path("log"))
time.sleep(1000)
"""
    parent = subprocess.Popen([sys.executable, "-c", text])
    found = facts(program)
    assert found["argv"] == ["test", "stays"]
    assert psutil.Process(found["pid"]).ppid() == parent.pid
    parent.kill()
    parent.wait()
    until(lambda: gone(found["pid"]), 5)


def test_what_a_child_sees_of_the_machine(program, monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "4,GPU-1f,7")
    monkeypatch.setenv("SLURM_PROCID", "2")
    monkeypatch.setenv("SLURM_JOB_ID", "77")
    monkeypatch.setenv("TORCHELASTIC_RUN_ID", "x")
    assert ended(start_child(["fit"], (2, 1), program / "log", threads=3)) == 3
    seen = facts(program)["environment"]
    assert seen["CUDA_VISIBLE_DEVICES"] == "7,GPU-1f"
    assert seen["OMP_NUM_THREADS"] == seen["MKL_NUM_THREADS"] == "3"
    assert seen["SLURM_JOB_ID"] == "77"
    assert "SLURM_PROCID" not in seen
    assert "TORCHELASTIC_RUN_ID" not in seen


def test_the_environment_of_a_child():
    outer = {"HOME": "/h", "WORLD_SIZE": "4", "OMP_NUM_THREADS": "5"}
    assert child_environment(outer, (), None) == {"HOME": "/h", "OMP_NUM_THREADS": "5", "PYTHONUNBUFFERED": "1"}
    assert child_environment(outer, (3,), None)["CUDA_VISIBLE_DEVICES"] == "3"
    hidden = {"CUDA_VISIBLE_DEVICES": ""}
    assert child_environment(hidden, (), None)["CUDA_VISIBLE_DEVICES"] == ""
    with pytest.raises(ConfigError, match=r"--devices: no such device, expected none, since .*, got \[0\]"):
        child_environment(hidden, (0,), None)
    with pytest.raises(ConfigError, match=r"expected 0 to 1, got \[2\]"):
        child_environment({"CUDA_VISIBLE_DEVICES": "0,1"}, (1, 2), None)


@pytest.mark.parametrize(
    ("visible", "names"),
    [("", []), ("-1", []), ("0", ["0"]), ("2, 3", ["2", "3"]), ("0,-1,1", ["0"]), ("MIG-a/1/2", ["MIG-a/1/2"])],
)
def test_visible_devices_are_read_as_cuda_does(visible, names):
    assert listed_devices(visible) == names
