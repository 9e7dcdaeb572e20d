"""Slurm's own words, as Debian's 22.05 says them, come from little programs in the PATH."""

import json
import os
import stat
import time

import pytest

from lit_medseg.tracking.lease import STALE_S, Owner, is_alive, this_process
from lit_medseg.tracking.run_folder import create_run_folder
from lit_medseg.tracking.slurm_job import SlurmJob, has_ended, own_job

UNKNOWN = "echo 'slurm_load_jobs error: Invalid job id specified' >&2; exit 1"
UNREACHABLE = "echo 'slurm_load_jobs error: Unable to contact slurm controller (connect failure)' >&2; exit 1"


@pytest.fixture(autouse=True)
def _outside_of_slurm(monkeypatch, tmp_path):
    for name in ("JOB_ID", "RESTART_COUNT", "CLUSTER_NAME", "ARRAY_JOB_ID", "ARRAY_TASK_ID"):
        monkeypatch.delenv(f"SLURM_{name}", raising=False)
    (tmp_path / "bin").mkdir()
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}")


@pytest.fixture
def slurm(tmp_path):
    """Make `squeue` answer, on a cluster with a name."""

    def make(squeue, cluster="one"):
        config = f"echo 'BootTime = x'; echo 'ClusterName             = {cluster}'"
        for name, does in (("squeue", squeue), ("scontrol", config)):
            program = tmp_path / "bin" / name
            program.write_text(f'#!/bin/sh\necho "$@" >> {tmp_path}/{name}.calls\n{does}\n')
            program.chmod(program.stat().st_mode | stat.S_IXUSR)

    return make


@pytest.fixture
def lease(tmp_path):
    path = tmp_path / "lease"
    path.touch()
    return path


def owner(job="7", restart=0, cluster="one"):
    return Owner("elsewhere", 1, "x", job, restart, cluster)


@pytest.mark.parametrize(
    ("squeue", "alive"),
    [
        ("echo RUNNING", True),
        ("echo COMPLETING", True),
        ("echo PENDING; echo RUNNING", True),
        ("echo PENDING", False),
        ("exit 0", False),
        (UNKNOWN, False),
        (UNREACHABLE, True),
        ("sleep 9", True),
    ],
)
def test_slurm_knows_whether_the_job_of_another_host_is_at_work(slurm, lease, tmp_path, monkeypatch, squeue, alive):
    monkeypatch.setattr("lit_medseg.tracking.slurm_job._ANSWER_S", 1.0)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:/usr/bin:/bin")
    slurm(squeue)
    assert is_alive(owner(), lease) is alive
    assert (tmp_path / "squeue.calls").read_text() == "--noheader --jobs 7 --format %T\n"


def test_a_job_that_slurm_calls_running_may_still_have_lost_its_process(slurm, lease):
    slurm("echo RUNNING")
    os.utime(lease, (time.time() - STALE_S - 60,) * 2)
    assert not is_alive(owner(), lease)


def test_the_number_of_another_cluster_means_nothing_here(slurm, lease):
    slurm(UNKNOWN, cluster="two")
    assert is_alive(owner(), lease)
    assert not is_alive(owner(cluster="two"), lease)


def test_without_slurm_the_lease_decides(lease):
    assert is_alive(owner(), lease)
    assert not has_ended(SlurmJob())


def test_an_earlier_start_of_this_very_job_is_gone(lease, monkeypatch):
    monkeypatch.setenv("SLURM_JOB_ID", "7")
    monkeypatch.setenv("SLURM_CLUSTER_NAME", "one")
    assert own_job() == SlurmJob("7", 0, "one")
    assert is_alive(owner(), lease), "another host of the same start of the job"
    monkeypatch.setenv("SLURM_RESTART_COUNT", "2")
    assert own_job() == SlurmJob("7", 2, "one")
    assert this_process().restart == 2
    assert not is_alive(owner(), lease)
    assert not is_alive(owner(restart=1), lease)
    assert is_alive(owner(restart=2), lease)


def test_a_task_of_an_array_is_not_named_by_the_number_that_stands_for_the_whole_array(slurm, tmp_path, monkeypatch):
    for name, value in {"JOB_ID": "7", "ARRAY_JOB_ID": "7", "ARRAY_TASK_ID": "3", "CLUSTER_NAME": "one"}.items():
        monkeypatch.setenv(f"SLURM_{name}", value)
    assert this_process().job == "7_3"
    monkeypatch.setenv("SLURM_ARRAY_TASK_ID", "1")
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:/usr/bin:/bin")
    slurm("echo COMPLETED")
    assert has_ended(SlurmJob("7_3", 0, "one"))
    assert (tmp_path / "squeue.calls").read_text() == "--noheader --jobs 7_3 --format %T\n"


def test_the_owner_is_kept_and_older_states_are_read(tmp_path, monkeypatch):
    monkeypatch.setenv("SLURM_JOB_ID", "7")
    monkeypatch.setenv("SLURM_RESTART_COUNT", "1")
    folder = create_run_folder(tmp_path / "runs", "a", "f" * 16)
    assert folder.read().owner == this_process()
    assert (folder.read().owner.job, folder.read().owner.restart) == ("7", 1)
    plain = json.loads((folder.path / "state.json").read_text())
    for name in ("job", "restart", "cluster"):
        del plain["owner"][name]
    (folder.path / "state.json").write_text(json.dumps(plain))
    assert folder.read().owner == Owner(this_process().host, os.getpid(), this_process().mark)
