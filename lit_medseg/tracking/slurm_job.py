"""The Slurm job that a process belongs to, and what Slurm says of the job of another."""

import os
import subprocess
from dataclasses import dataclass

_ANSWER_S = 10.0
_AT_WORK = {"RUNNING", "COMPLETING", "SUSPENDED", "STOPPED", "SIGNALING", "STAGE_OUT", "RESIZING"}


@dataclass(frozen=True)
class SlurmJob:
    """One start of a job.

    Attributes:
        number: `SLURM_JOB_ID`, of an array's task `<array>_<task>`: the number of an array's last task means the whole
            array to Slurm's commands. Empty outside of a job.
        restart: How often it had been requeued.
        cluster: Name of the cluster that numbered it; empty where Slurm does not tell.
    """

    number: str = ""
    restart: int = 0
    cluster: str = ""


def own_job() -> SlurmJob:
    """Read which job this process belongs to; one without a number outside of Slurm."""
    number = os.environ.get("SLURM_JOB_ID", "")
    if not number:
        return SlurmJob()
    if "SLURM_ARRAY_JOB_ID" in os.environ:
        number = f"{os.environ['SLURM_ARRAY_JOB_ID']}_{os.environ['SLURM_ARRAY_TASK_ID']}"
    restart = os.environ.get("SLURM_RESTART_COUNT", "")
    return SlurmJob(number, int(restart) if restart.isdigit() else 0, os.environ.get("SLURM_CLUSTER_NAME", ""))


def has_ended(job: SlurmJob) -> bool:
    """Ask whether a job's processes are gone for certain.

    Args:
        job: Of another process.

    Returns:
        True for a job that was requeued since (this process is its later start), that Slurm does not know any more, or
        that is not at work. False where it is, and where Slurm cannot be asked: no `squeue` on this machine, no answer,
        or another cluster's job, whose number means another job here.
    """
    if not job.number:
        return False
    own = own_job()
    if (own.number, own.cluster) == (job.number, job.cluster):
        return own.restart != job.restart
    if job.cluster and job.cluster != (own.cluster or _cluster_here()):
        return False
    answer = _ask(["squeue", "--noheader", "--jobs", job.number, "--format", "%T"])
    if answer is None:
        return False
    if answer.returncode:
        return "Invalid job id" in answer.stderr
    return not _AT_WORK.intersection(answer.stdout.split())


def _cluster_here() -> str:
    answer = _ask(["scontrol", "show", "config"])
    lines = [] if answer is None else answer.stdout.splitlines()
    return next((line.partition("=")[2].strip() for line in lines if line.startswith("ClusterName")), "")


def _ask(command: list[str]) -> "subprocess.CompletedProcess[str] | None":
    """Run a command of Slurm; None where it is not there or does not answer."""
    try:
        return subprocess.run(command, capture_output=True, text=True, timeout=_ANSWER_S, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
