"""What became of a child, from its exit status, its folder and its last words."""

import json
import time

import pytest

from lit_medseg.cluster.blame import Blame
from lit_medseg.sweep.verdict import End, judge_child, judge_folder
from lit_medseg.tracking.lease import Owner, this_process
from lit_medseg.tracking.run_folder import RunFolder, RunState

GONE = Owner("elsewhere", 1, "gone")


def run(tmp_path, status=None, reason="", owner=None, blame=Blame.SETTINGS):
    folder = RunFolder(tmp_path / "exp" / "trial-0000")
    if status is not None:
        folder.path.mkdir(parents=True)
        folder.lease.touch()
        folder.write(RunState(status, "hash", owner or this_process(), time.time(), reason=reason, blame=blame))
    return folder


@pytest.mark.parametrize(
    ("exit_status", "state", "blame", "end"),
    [
        (0, "FINISHED", Blame.SETTINGS, End.FINISHED),
        (75, "KILLED", Blame.SETTINGS, End.STOPPED),
        (-9, "RUNNING", Blame.SETTINGS, End.KILLED),
        (137, "RUNNING", Blame.SETTINGS, End.KILLED),
        (143, "KILLED", Blame.SETTINGS, End.KILLED),
        (1, "FAILED", Blame.LOST, End.KILLED),
        (1, "FAILED", Blame.MEMORY, End.FAILED),
        (1, "FAILED", Blame.DISK, End.DISK_FULL),
        (1, "FAILED", Blame.SETTINGS, End.FAILED),
        (1, "RUNNING", Blame.SETTINGS, End.KILLED),
        (74, "RUNNING", Blame.SETTINGS, End.DISK_FULL),
        (69, "KILLED", Blame.SETTINGS, End.AROUND),
        (2, "KILLED", Blame.SETTINGS, End.FAILED),
    ],
)
def test_a_child_that_has_ended(tmp_path, exit_status, state, blame, end):
    folder = run(tmp_path, state, "its reason", blame=blame)
    assert judge_child(exit_status, folder, tmp_path / "no.log").end is end


@pytest.mark.parametrize(
    ("status", "said", "end", "reason"),
    [
        (2, "x\nerror: model.lr: unknown key.\n", End.FAILED, "model.lr: unknown key."),
        (69, "error: sqlite:///m.db: it is away.\n", End.AROUND, "it is away"),
        (74, "Traceback\nOSError: 28\n", End.DISK_FULL, "OSError: 28"),
        (71, "Traceback\nMemoryError\n", End.FAILED, "out of memory: MemoryError"),
        (1, "Traceback\n  File\nValueError: 7\n", End.FAILED, "ValueError: 7"),
        (2, "", End.FAILED, "ended with status 2"),
    ],
)
def test_a_child_that_never_began_says_it_by_its_exit_status(tmp_path, status, said, end, reason):
    log = tmp_path / "output.txt"
    log.write_text("[2026-01-01 00:00:00] fit\n" + said)
    verdict = judge_child(status, run(tmp_path), log)
    assert verdict.end is end
    assert reason in verdict.reason


@pytest.mark.parametrize(
    ("state", "owner", "end"),
    [
        (None, None, End.NEW),
        ("RUNNING", None, End.ALIVE),
        ("RUNNING", Owner(this_process().host, this_process().pid, "another"), End.STOPPED),
        ("FINISHED", None, End.FINISHED),
        ("KILLED", None, End.STOPPED),
        ("FAILED", None, End.FAILED),
    ],
)
def test_a_run_that_no_child_works_on(tmp_path, state, owner, end):
    assert judge_folder(run(tmp_path, state, owner=owner)).end is end


def test_what_a_failure_was_to_be_blamed_on_outlives_the_one_who_saw_it(tmp_path):
    folder = run(tmp_path, "RUNNING")
    folder.end("FAILED", "rank 1 was ended by signal 9", Blame.LOST)
    assert judge_folder(folder).end is End.KILLED
    folder.take()
    assert folder.read().blame is Blame.SETTINGS


def test_a_state_of_an_earlier_version_is_read(tmp_path):
    folder = run(tmp_path, "FAILED", "ArithmeticError: 7")
    file = folder.path / "state.json"
    plain = json.loads(file.read_text())
    del plain["blame"]
    file.write_text(json.dumps(plain))
    assert folder.read().blame is Blame.SETTINGS
    assert judge_folder(folder).end is End.FAILED
