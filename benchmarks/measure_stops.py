"""Part `stops` of `resume.py`: from a signal to the exit, and from the command to the first step."""

import random
import signal
import statistics
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
from fit_process import FitProcess, read_lines
from resume_row import Row

_CHANNELS = (32, 64, 128, 256)
_STEP_S = 1.0
_EXIT_S = 30.0
_WAIT_S = 300.0


@dataclass
class _Times:
    first_start: float = 0.0
    restarts: list[float] = field(default_factory=list)
    exits: list[float] = field(default_factory=list)


def measure_stops(quick: bool) -> list[Row]:
    """Measure on one and on two ranks."""
    rows = []
    for ranks in (2,) if quick else (1, 2):
        times = _measure(ranks, 1 if quick else 3)
        where = f"steps of {_STEP_S:g} s, {'one rank' if ranks == 1 else f'{ranks} ranks'}"
        last = max(times.exits)
        rows += [
            Row(where, "from SIGTERM to the exit", _seconds(times.exits), f"< {_EXIT_S:.0f} s", last < _EXIT_S),
            Row(where, "from the command to the first step, new run", f"{times.first_start:.1f} s"),
            Row(where, "from the command to the first step, restart", _seconds(times.restarts)),
        ]
    return rows


def _measure(ranks: int, restarts: int) -> _Times:
    """Interrupt a run again and again, each time at another moment of a step."""
    name = f"stops-{ranks}"
    out = Path(f"{name}.jsonl").resolve()
    fit = FitProcess(name, ranks, _CHANNELS, 1000, 1, "step_lines.StepLines", {"out": str(out)}, step_s=_STEP_S)
    times, moments = _Times(), random.Random(0)
    for attempt in range(restarts + 1):
        before = read_lines(out)
        start = time.time()
        process = fit.start("--tracking", "sqlite:///mlflow.db")
        lines = _steps(fit, process, out, len(before) + 3)
        to_first = lines[len(before)]["at"] - start
        time.sleep(moments.uniform(0.0, _STEP_S))
        times.exits.append(_stop(fit, process))
        if attempt == 0:
            times.first_start = to_first
            continue
        times.restarts.append(to_first)
        if lines[len(before)]["step"] < before[-1]["step"]:
            raise RuntimeError(
                f"{name}: a restart lost steps, expected step {before[-1]['step']}, got {lines[len(before)]}."
            )
    return times


def _stop(fit: FitProcess, process: subprocess.Popen[bytes]) -> float:
    """Send SIGTERM; gives the seconds until the command and all that it started are gone."""
    living = psutil.Process(process.pid).children(recursive=True)
    start = time.monotonic()
    process.send_signal(signal.SIGTERM)
    status = process.wait(120)
    seconds = time.monotonic() - start
    if status != 128 + signal.SIGTERM:
        raise fit.failed(status)
    _, left = psutil.wait_procs(living, 5.0)
    if left:
        raise RuntimeError(f"{fit.name}: processes are left behind, expected none, got {len(left)}.")
    return max(seconds, time.monotonic() - start)


def _steps(fit: FitProcess, process: subprocess.Popen[bytes], out: Path, count: int) -> list[dict[str, Any]]:
    """Wait until so many steps have begun."""
    give_up = time.monotonic() + _WAIT_S
    while time.monotonic() < give_up:
        lines = read_lines(out)
        if len(lines) >= count:
            return lines
        status = process.poll()
        if status is not None:
            raise fit.failed(status)
        time.sleep(0.05)
    process.terminate()
    raise TimeoutError(f"{fit.name}: no step, expected {count} within {_WAIT_S:.0f} s, got {len(read_lines(out))}.")


def _seconds(values: list[float]) -> str:
    return f"{statistics.median(values):.1f} s (longest of {len(values)}: {max(values):.1f} s)"
