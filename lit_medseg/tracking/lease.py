"""Who works on a run, and whether that process is still there."""

import os
import socket
from dataclasses import dataclass
from pathlib import Path

import psutil

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
    """

    host: str
    pid: int
    mark: str


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
    return Owner(socket.gethostname(), os.getpid(), process_mark(os.getpid()))


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
        On the owner's host: whether its very process is there. On another host: whether the lease was touched within
        `STALE_S`, by the clock of the file system that both see.
    """
    if owner.host == socket.gethostname():
        return bool(owner.mark) and process_mark(owner.pid) == owner.mark
    probe = lease.with_name(f".clock-{os.getpid()}")
    try:
        probe.touch()
        age_s = probe.stat().st_mtime - lease.stat().st_mtime
        probe.unlink()
    except OSError:
        # A folder that cannot be written or read tells nothing: leave the run alone.
        return True
    return age_s < STALE_S
