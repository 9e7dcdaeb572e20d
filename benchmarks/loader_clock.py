"""Patches per second of a loader, and the processor time that they cost; needs NumPy alone, so that peers share it."""

import json
import os
import signal
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

_TICKS = os.sysconf("SC_CLK_TCK")


def clock(batches: Iterable[Any], batch_size: int, seconds: float, warm_up: int) -> dict[str, float]:
    """Take batches for a while.

    Args:
        batches: Endless.
        batch_size: Patches in each.
        seconds: Of the measurement.
        warm_up: Batches that are taken before it: workers start, caches fill, queues fill up.

    Returns:
        `rate`, patches per second, and `cpu_ms`, processor time of this process and its children per patch.
    """
    batches = iter(batches)
    for _ in range(warm_up):
        next(batches)
    start, before, count = time.perf_counter(), _processor_s(), 0
    while time.perf_counter() - start < seconds:
        next(batches)
        count += batch_size
    spent, used = time.perf_counter() - start, _processor_s() - before
    return {"rate": count / spent, "cpu_ms": 1e3 * used / count}


def report(result: dict[str, float]) -> None:
    """Print a result as the last line, and end at once with all workers: those of peers outlive their parent."""
    print(json.dumps(result), flush=True)
    for pid in _children():
        os.kill(int(pid), signal.SIGKILL)
    os._exit(0)


def _processor_s() -> float:
    """Processor time of this process and its living children, in seconds."""
    return sum(_used_s(pid) for pid in ["self", *_children()])


def _children() -> list[str]:
    """List the process ids of this process's children."""
    return " ".join(path.read_text() for path in Path("/proc/self/task").glob("*/children")).split()


def _used_s(pid: str) -> float:
    """Processor time of one process, in seconds."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS
