"""What a container or a batch system allows this process: cores and memory of its control group."""

import os
from pathlib import Path

CGROUP = Path("/sys/fs/cgroup")
# Version 1 writes "no limit" as the largest multiple of a page below 2**63.
UNLIMITED_BYTES = 2**60


def core_limit(cgroup: Path = CGROUP) -> float | None:
    """Read how many cores' time the control group may use.

    Returns:
        Cores, a fraction is possible; None without a limit.
    """
    two = _words(cgroup / "cpu.max")
    one = _words(cgroup / "cpu/cpu.cfs_quota_us") + _words(cgroup / "cpu/cpu.cfs_period_us")
    words = two or one
    if len(words) != 2 or not all(word.isdigit() for word in words):
        return None
    return int(words[0]) / int(words[1])


def memory_limit_bytes(cgroup: Path = CGROUP) -> int | None:
    """Read how much memory the control group may use; None without a limit."""
    words = _words(cgroup / "memory.max") or _words(cgroup / "memory/memory.limit_in_bytes")
    if not words or not words[0].isdigit() or int(words[0]) >= UNLIMITED_BYTES:
        return None
    return int(words[0])


def memory_used_bytes(cgroup: Path = CGROUP) -> int:
    """Read how much memory the control group uses; 0 where it does not say. Caches of files count too."""
    words = _words(cgroup / "memory.current") or _words(cgroup / "memory/memory.usage_in_bytes")
    return int(words[0]) if words else 0


def affinity() -> int:
    """Count the cores that this process may run on."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _words(file: Path) -> list[str]:
    """The words of a small file; none where it cannot be read."""
    try:
        return file.read_text(encoding="ascii").split()
    except OSError:
        return []
