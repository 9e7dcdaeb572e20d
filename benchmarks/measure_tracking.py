"""Part `tracking` of `resume.py`: what a run's records cost it, whatever its server does."""

import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from fit_process import FitProcess, read_lines
from resume_row import Row

from tests.tracking.mlflow_server import Gate, MlflowServer

_GOAL = 0.01
_CHANNELS = (16, 32, 64)
_WAIT_S = 300.0


def measure_tracking(quick: bool) -> list[Row]:
    """Measure on one and on two ranks."""
    return [row for ranks in ((1,) if quick else (1, 2)) for row in _measure(ranks, 3.0 if quick else 25.0)]


def _measure(ranks: int, seconds: float) -> list[Row]:
    """Run one `fit`, and let the server change meanwhile."""
    name = f"tracking-{ranks}"
    out = Path(f"{name}.jsonl").resolve()
    server = MlflowServer(Path.cwd(), f"sqlite:///{Path.cwd()}/server-{ranks}.db")
    server.start()
    settings = {"out": str(out)}
    fit = FitProcess(name, ranks, _CHANNELS, 100, 100_000, "tracking_clock.TrackingClock", settings)
    rows = []
    with Gate(server.uri) as gate:
        process = fit.start("--tracking", gate.uri, "--trainer.check_val_every_n_epoch", "10")
        try:
            _next_line(fit, process, out, after=0.0)
            for state, bring_about in _states(gate, server):
                bring_about()
                first = _next_line(fit, process, out, after=time.time())
                last = _next_line(fit, process, out, after=first["at"] + seconds)
                rows += _rows(f"{_ranks(ranks)}, server {state}", first, last)
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(120)
            server.kill()
    return rows


def _states(gate: Gate, server: MlflowServer) -> Iterator[tuple[str, Callable[[], object]]]:
    yield "up", lambda: None
    yield "slow (1 s)", lambda: setattr(gate, "delay_s", 1.0)
    yield "hanging", lambda: server.send(signal.SIGSTOP)
    yield "down", server.kill


def _rows(where: str, first: dict[str, Any], last: dict[str, Any]) -> list[Row]:
    """Compare the tracking's processor time with that of the training thread, which is the smaller of the bases."""
    sums = {key: last[key] - first[key] for key in first}
    within, beside = sums["within_s"] / sums["thread_s"], sums["beside_s"] / sums["thread_s"]
    step_ms = 1000 * sums["at"] / sums["step"]
    waiting = f"steps of {step_ms:.0f} ms; by the clock {sums['within_wall_s'] / sums['at']:.3%}"
    return [
        Row(where, "on the training thread", f"{within:.3%} ({waiting})", "< 1%", within < _GOAL),
        Row(where, "in threads beside it", f"{beside:.3%}"),
        Row(where, "both, were no core free", f"{within + beside:.3%}", "< 1%", within + beside < _GOAL),
    ]


def _next_line(fit: FitProcess, process: subprocess.Popen[bytes], out: Path, after: float) -> dict[str, Any]:
    """Wait for the first line that was written after a time."""
    give_up = max(time.time(), after) + _WAIT_S
    while time.time() < give_up:
        found = next((line for line in read_lines(out) if line["at"] > after), None)
        if found is not None:
            return found
        status = process.poll()
        if status is not None:
            raise fit.failed(status)
        time.sleep(0.2)
    raise TimeoutError(f"{fit.name}: no step, expected one within {_WAIT_S:.0f} s, got none.")


def _ranks(ranks: int) -> str:
    return "one rank" if ranks == 1 else f"{ranks} ranks"
