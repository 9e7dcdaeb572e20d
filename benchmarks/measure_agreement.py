"""Part `agreement` of `resume.py`: what it costs to ask at each step whether to stop."""

import json
import os
import socket
import subprocess
import sys

from fit_process import HERE, ROOT
from resume_row import Row

_GOAL = 0.01
_BASE_MS = 100


def measure_agreement(quick: bool) -> list[Row]:
    """Measure on one and on two ranks, with steps of 100 ms and with steps too short for a message at each."""
    rows = []
    for ranks in (1, 2):
        for step_ms, steps in ((_BASE_MS, 20),) if quick else ((_BASE_MS, 60), (2, 1000)):
            found = _measure(ranks, step_ms, steps, 1 if quick else 3)
            where = f"{'one rank' if ranks == 1 else f'{ranks} ranks'}, steps of {step_ms} ms"
            call = f"{1e6 * found['mean']:.0f} us (median {1e6 * found['median']:.0f})"
            rows.append(Row(where, "the question, on the training thread", call))
            if step_ms == _BASE_MS:  # in shorter steps the difference drowns in noise
                share = 1000 * found["mean"] / step_ms
                processor = f"{1e6 * found['processor']:.0f} us a step"
                rows += [
                    Row(where, "processor time, all threads", processor),
                    Row(where, "share of a step", f"{share:.3%}", "< 1%", share < _GOAL),
                ]
    return rows


def _measure(ranks: int, step_ms: int, steps: int, pairs: int) -> dict[str, float]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    environment = {**os.environ, "PYTHONPATH": f"{ROOT}{os.pathsep}{HERE}", "OMP_NUM_THREADS": "1"}
    processes = []
    for rank in range(ranks):
        arguments = map(str, (rank, ranks, port, step_ms, steps, pairs))
        command = [sys.executable, str(HERE / "agreement_rank.py"), *arguments]
        processes.append(subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment))
    try:
        printed = [process.communicate(timeout=600)[0] for process in processes]
    finally:
        for process in processes:
            process.kill()
    if any(process.returncode for process in processes):
        raise RuntimeError(f"agreement: a rank failed, expected 0, got {[one.returncode for one in processes]}.")
    found: dict[str, float] = json.loads(printed[0].splitlines()[-1])
    return found
