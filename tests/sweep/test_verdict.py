"""What became of a child, from its exit status, its folder and its last words."""

import time

import pytest

from lit_medseg.sweep.verdict import End, judge_child, judge_folder
from lit_medseg.tracking.lease import Owner, this_process
from lit_medseg.tracking.run_folder import RunFolder, RunState

GONE = Owner("elsewhere", 1, "gone")


def run(tmp_path, status=None, reason="", owner=None):
    folder = RunFolder(tmp_path / "exp" / "trial-0000")
    if status is not None:
        folder.path.mkdir(parents=True)
        folder.lease.touch()
        folder.write(RunState(status, "hash", owner or this_process(), time.time(), reason=reason))
    return folder


@pytest.mark.parametrize(
    ("exit_status", "state", "reason", "end"),
    [
        (0, "FINISHED", "", End.FINISHED),
        (75, "KILLED", "pruned", End.STOPPED),
        (-9, "RUNNING", "", End.KILLED),
        (137, "RUNNING", "", End.KILLED),
        (143, "KILLED", "preempted (SIGTERM)", End.KILLED),
        (1, "FAILED", "rank 1 was ended by signal 9 (Killed)", End.KILLED),
        (1, "FAILED", "OutOfMemoryError: CUDA out of memory. Tried to allocate 2 GiB", End.FAILED),
        (1, "FAILED", "OSError: [Errno 28] No space left on device", End.DISK_FULL),
        (1, "FAILED", "ArithmeticError: made to fail", End.FAILED),
    ],
)
def test_a_child_that_has_ended(tmp_path, exit_status, state, reason, end):
    assert judge_child(exit_status, run(tmp_path, state, reason), tmp_path / "no.log").end is end


@pytest.mark.parametrize(
    ("said", "end", "reason"),
    [
        ("x\nerror: model.lr: unknown key.\n", End.FAILED, "model.lr: unknown key."),
        ("error: sqlite:///m.db: the tracking store cannot be used.\n", End.AROUND, ""),
        ("error: run trial-0000: the run is in work, expected nobody at it.\n", End.AROUND, ""),
        ("Traceback\n  File\nValueError: 7\n", End.FAILED, "ValueError: 7"),
        ("", End.FAILED, "ended with status 2"),
    ],
)
def test_a_child_that_never_began_has_its_last_words(tmp_path, said, end, reason):
    log = tmp_path / "output.txt"
    log.write_text(said)
    verdict = judge_child(2, run(tmp_path), log)
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
