"""Who works on a run, and whether that process is still there."""

import os
import socket
from dataclasses import dataclass
from pathlib import Path

import psutil

from lit_medseg.tracking.slurm_job import SlurmJob, has_ended, own_job

HEARTBEAT_S = 30.0
"""How often the owner touches the lease."""
STALE_S = 900.0
"""A lease of another host that was not touched for so long belongs to a dead process."""


@dataclass(frozen=True)
class Owner:
    """The process that works on a run.

    Attributes:
        host: Name of its machine.
        pid: Its number there.
        mark: What tells it from a later process with the same number, see `process_mark`.
        job: Number of its Slurm job; empty outside of Slurm.
        restart: How often that job had been requeued when the process began.
        cluster: The cluster that numbered the job; empty where it is not known.
    """

    host: str
    pid: int
    mark: str
    job: str = ""
    restart: int = 0
    cluster: str = ""


def process_mark(pid: int) -> str:
    """Tell a process from any other that has or had its number on this machine.

    The kernel's boot id and start tick are used where they exist, since the wall clock may be set back or forth.

    Args:
        pid: Number of a process on this machine.

    Returns:
        The mark; empty when there is no such process, or when it has ended and only waits for its parent.
    """
    stat = Path(f"/proc/{pid}/stat")
    boot = Path("/proc/sys/kernel/random/boot_id")
    try:
        if boot.exists():
            # The name in brackets may hold spaces: count the fields behind it.
            fields = stat.read_text().rsplit(")", 1)[1].split()
            return "" if fields[0] in ("Z", "X") else f"{boot.read_text().strip()}-{fields[19]}"
        process = psutil.Process(pid)
        return "" if process.status() == psutil.STATUS_ZOMBIE else f"{process.create_time():.2f}"
    except (OSError, psutil.Error):
        return ""


def this_process() -> Owner:
    """Name the running process as an owner."""
    job = own_job()
    mark = process_mark(os.getpid())
    return Owner(socket.gethostname(), os.getpid(), mark, job.number, job.restart, job.cluster)


def touch(lease: Path) -> None:
    """Show other hosts that the owner lives; a folder that has gone is no fault here."""
    try:
        lease.touch()
    except OSError:
        return


def is_alive(owner: Owner, lease: Path) -> bool:
    """Tell whether the owner of a run still works on it.

    Args:
        owner: As written when the run began.
        lease: The file that the owner touches every `HEARTBEAT_S` seconds.

    Returns:
        On the owner's host: whether its very process is there. On another host: False where Slurm says that the
        owner's job has ended or was requeued; otherwise whether the lease was touched within `STALE_S`, by the clock of
        the file system that both see.
    """
    if owner.host == socket.gethostname():
        return bool(owner.mark) and process_mark(owner.pid) == owner.mark
    if has_ended(SlurmJob(owner.job, owner.restart, owner.cluster)):
        return False
    probe = lease.with_name(f".clock-{os.getpid()}")
    try:
        probe.touch()
        age_s = probe.stat().st_mtime - lease.stat().st_mtime
        probe.unlink()
    except OSError:
        # A folder that cannot be written or read tells nothing: leave the run alone.
        return True
    return age_s < STALE_S
