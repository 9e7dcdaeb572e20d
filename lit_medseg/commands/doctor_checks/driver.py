"""The NVIDIA driver and its GPUs, asked without torch."""

import csv
import io
import subprocess
from dataclasses import dataclass

from lit_medseg.commands.doctor_checks.check import Check, ok, warning

FIELDS = "index,name,memory.total,memory.used,utilization.gpu"


@dataclass(frozen=True)
class Gpu:
    """One GPU; utilisation in percent, None where the driver does not tell."""

    index: str
    name: str
    total_mib: float
    used_mib: float
    busy_percent: float | None


def driver_version() -> str | None:
    """Ask the driver for its version; None without a driver."""
    lines = _ask("driver_version")
    return lines[0][0] if lines else None


def list_gpus() -> list[Gpu]:
    """Ask the driver for its GPUs; none without a driver."""
    return [
        Gpu(row[0], row[1], _number(row[2]) or 0.0, _number(row[3]) or 0.0, _number(row[4]))
        for row in _ask(FIELDS)
        if len(row) == 5
    ]


def check_gpus() -> list[Check]:
    """Look at each GPU: its memory, and whether another program uses it."""
    return [_check_gpu(gpu) for gpu in list_gpus()]


def _check_gpu(gpu: Gpu) -> Check:
    busy = "" if gpu.busy_percent is None else f", {gpu.busy_percent:.0f}% busy"
    found = f"{gpu.name}, {gpu.used_mib / 1024:.1f} of {gpu.total_mib / 1024:.1f} GiB used{busy}"
    if gpu.used_mib > max(0.1 * gpu.total_mib, 1024.0):
        mend = "nvidia-smi names the program that uses it; choose other GPUs with CUDA_VISIBLE_DEVICES"
        return warning(f"GPU {gpu.index}", f"{found}: in use", mend)
    return ok(f"GPU {gpu.index}", found)


def _ask(fields: str) -> list[list[str]]:
    """Ask nvidia-smi; nothing where it is missing or fails."""
    command = ["nvidia-smi", f"--query-gpu={fields}", "--format=csv,noheader,nounits"]
    try:
        reply = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    except (OSError, subprocess.SubprocessError):
        return []
    return [[word.strip() for word in row] for row in csv.reader(io.StringIO(reply.stdout)) if row]


def _number(word: str) -> float | None:
    """Read a number; None for what the driver writes where it does not know."""
    try:
        return float(word)
    except ValueError:
        return None
