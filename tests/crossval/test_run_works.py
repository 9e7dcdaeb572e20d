"""Which commands are started and when, with a stand-in program that starts at once."""

import json
import os
import time
from pathlib import Path

import psutil
import pytest

import lit_medseg
from lit_medseg.cluster.device_pool import DevicePool
from lit_medseg.crossval.run_child import run_child
from lit_medseg.crossval.run_works import run_works
from lit_medseg.errors import DataError

REAL = str(Path(lit_medseg.__file__).parent)
PROGRAM = """
import json, os, sys, time
words = sys.argv[1:]
with open("log.jsonl", "a") as file:
    print(json.dumps({"pid": os.getpid(), "threads": os.environ.get("OMP_NUM_THREADS")}), file=file)
if words[0] == "fail":
    print("what happened")
    sys.exit(1)
if words[2] == "fault":
    print("error: trainer: wrong, expected a, got b. Mend it.")
    sys.exit(2)
if words[2] == "die":
    os.kill(os.getpid(), 9)
if words[2] == "long":
    time.sleep(1000)
time.sleep(0.3)
sys.exit(int(words[2] == "fail"))
"""


class Work:
    """What `FoldWork` is to the runner: commands, one after the other."""

    def __init__(self, folder, title, *commands, busy_s=0.0, refuses=False):
        self.title, self.log, self.refuses = title, folder / f"{title}.log", refuses
        self.left = [[verb, title, what] for verb, what in commands]
        self.accepted, self.free = [], time.monotonic() + busy_s

    def is_busy(self):
        return time.monotonic() < self.free

    def next_command(self, devices):
        if self.refuses:
            raise DataError(f"{self.title}: planted, expected none, got one. Mend it.")
        return self.left[0] if self.left else None

    def accept(self, verb):
        self.accepted.append(verb)
        self.left.pop(0)
        return "dice 0.5" if verb == "test" else ""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    (tmp_path / "lit_medseg").mkdir()
    (tmp_path / "lit_medseg/__init__.py").write_text(f"__path__.append({REAL!r})\n")
    (tmp_path / "lit_medseg/__main__.py").write_text(PROGRAM)
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    return tmp_path


def started(folder):
    log = folder / "log.jsonl"
    return [json.loads(line) for line in log.read_text().splitlines()] if log.is_file() else []


def run(works, workers=2, stop=lambda: False):
    lines = []
    outcome = run_works(works, DevicePool(workers, None), stop, lines.append)
    return outcome, lines


GOOD = (("fit", "good"), ("test", "good"))


def test_every_fold_is_trained_then_tested(folder):
    works = [Work(folder, f"fold {number}", *GOOD) for number in range(4)]
    outcome, lines = run(works)
    assert (outcome.failed, outcome.fault, outcome.stopped) == ({}, "", False)
    assert all(work.accepted == ["fit", "test"] for work in works)
    assert len(started(folder)) == 8
    assert lines.index("fold 0: test started") < lines.index("fold 3: fit started")
    assert {"fold 2: fit done", "fold 2: test done, dice 0.5"} <= set(lines)
    shares = max(1, len(os.sched_getaffinity(0)) // 2)
    assert {one["threads"] for one in started(folder)} == {str(shares)}


def test_a_fold_that_fails_does_not_stop_the_others(folder):
    works = [
        Work(folder, "fold 0", ("fit", "fail")),
        Work(folder, "fold 1", ("fit", "die")),
        Work(folder, "fold 2", *GOOD),
    ]
    outcome, _ = run(works, workers=1)
    assert outcome.failed == {"fold 0": "fit exit status 1", "fold 1": "fit ended by signal 9"}
    assert outcome.fault == ""
    assert works[2].accepted == ["fit", "test"]


def test_a_fault_of_the_user_starts_no_other_fold(folder):
    works = [Work(folder, "fold 0", ("fit", "fault")), Work(folder, "fold 1", *GOOD), Work(folder, "fold 2", *GOOD)]
    outcome, _ = run(works, workers=1)
    assert outcome.fault == "fold 0: fit exit status 2: trainer: wrong, expected a, got b. Mend it."
    assert len(started(folder)) == 1


def test_what_was_left_is_looked_at(folder):
    outcome, _ = run([Work(folder, "fold 0", refuses=True), Work(folder, "fold 1", *GOOD)])
    assert outcome.failed == {"fold 0": "fold 0: planted, expected none, got one. Mend it."}


def test_a_fold_that_another_process_works_on_is_waited_for(folder):
    busy, free = Work(folder, "fold 0", *GOOD, busy_s=1.0), Work(folder, "fold 1", *GOOD)
    outcome, lines = run([busy, free], workers=1)
    assert not outcome.failed
    assert lines[:2] == ["fold 0: another process works on it, waiting for its end", "fold 1: fit started"]
    assert busy.accepted == ["fit", "test"]


def test_children_are_stopped_when_asked(folder):
    works = [
        Work(folder, "fold 0", ("fit", "long")),
        Work(folder, "fold 1", ("fit", "long")),
        Work(folder, "fold 2", *GOOD),
    ]
    outcome, lines = run(works, stop=lambda: len(started(folder)) == 2)
    assert outcome.stopped
    assert not outcome.failed
    assert "stopping" in lines[-1]
    assert not any(psutil.pid_exists(one["pid"]) for one in started(folder))
    assert len(started(folder)) == 2


def test_children_are_stopped_when_the_parent_fails(folder):
    def broken():
        if started(folder):
            raise RuntimeError("planted")
        return False

    with pytest.raises(RuntimeError, match="planted"):
        run([Work(folder, "fold 0", ("fit", "long"))], stop=broken)
    assert not psutil.pid_exists(started(folder)[0]["pid"])


def test_a_single_child(folder):
    pool = DevicePool(1, None)
    assert run_child(["fail", "x", "y"], folder / "log", pool, lambda: False) == "fail exit status 1"
    assert run_child(["choose", "x", "good"], folder / "log", pool, lambda: False) == ""
    assert run_child(["choose", "x", "long"], folder / "log", pool, lambda: len(started(folder)) == 3) == ""
    assert not psutil.pid_exists(started(folder)[2]["pid"])
    assert pool.take() == ()
