"""Cores, memory, shared memory and disk."""

import math
import shutil
from pathlib import Path

from lit_medseg.commands.doctor_checks import limits
from lit_medseg.commands.doctor_checks.check import Check, fault, ok, warning

GIB = 2**30
SHARED_MEMORY = Path("/dev/shm")


def check_cores(cgroup: Path = limits.CGROUP) -> Check:
    """Compare the cores that libraries count with those that the control group pays for."""
    seen, paid = limits.affinity(), limits.core_limit(cgroup)
    if paid is not None and math.ceil(paid) < seen:
        found = f"{seen} cores are seen, but the control group allows {paid:g}"
        allowed = max(1, int(paid))
        mend = f"export OMP_NUM_THREADS={allowed}, and workers: {allowed} below data.loading in the YAML"
        return warning("cores", found, mend)
    return ok("cores", f"{seen}")


def check_memory(meminfo: Path = Path("/proc/meminfo"), cgroup: Path = limits.CGROUP) -> Check:
    """Look at the memory that is left: the system's, or what the control group still allows."""
    try:
        lines = meminfo.read_text(encoding="ascii").splitlines()
    except OSError:
        return ok("memory", "unknown on this platform")
    kib = {line.split(":")[0]: int(line.split()[1]) for line in lines if ":" in line}
    total, free = kib["MemTotal"] * 1024, kib.get("MemAvailable", kib["MemFree"]) * 1024
    limit = limits.memory_limit_bytes(cgroup)
    if limit is not None and limit < total:
        total, free = limit, min(free, limit - limits.memory_used_bytes(cgroup))
    found = f"{free / GIB:.1f} of {total / GIB:.1f} GiB free"
    if free < 2 * GIB:
        mend = "end other programs, or lower batch_size and workers below data.loading in the YAML"
        return warning("memory", found, mend)
    return ok("memory", found)


def check_shared_memory(folder: Path = SHARED_MEMORY) -> Check:
    """Look at the folder through which loader processes hand over batches: Docker's default of 64 MiB is too small."""
    if not folder.is_dir():
        return ok("shared memory", "none on this platform")
    usage = shutil.disk_usage(folder)
    found = f"{usage.free / GIB:.2f} of {usage.total / GIB:.2f} GiB free in {folder}"
    mend = f"docker run --shm-size=8g, or mount -o remount,size=8g {folder}, or data.loading.workers: 0 in the YAML"
    if usage.free < 0.125 * GIB:
        return fault("shared memory", found, mend)
    return warning("shared memory", found, mend) if usage.free < GIB else ok("shared memory", found)


def check_disk(folder: Path) -> Check:
    """Look at the disk that runs, caches and the MLflow store are written to."""
    usage = shutil.disk_usage(folder)
    found = f"{usage.free / GIB:.1f} of {usage.total / GIB:.1f} GiB free in {folder}"
    mend = "make room: old runs (runs/), old caches (cache/); or start from a folder on another disk"
    if usage.free < 0.5 * GIB:
        return fault("disk", found, mend)
    return warning("disk", found, mend) if usage.free < 5 * GIB else ok("disk", found)
