"""What tracking costs a training loop: with the server up, slow (1 s per answer), hanging and gone.

A loop of steps of fixed work logs ten numbers a step through the run's logger, as `fit` does with `log_every_n_steps`
of 1, against a real `mlflow server` on SQLite. Blocks with and without logging alternate in one process, so that a
machine whose speed drifts slows both; the median over the blocks counts. Goal: under 1% of a step in every state.

Run: python benchmarks/tracking.py [--step_ms 100] [--steps 100] [--blocks 5]

The machine should do nothing else. `on the thread` is the processor time of the loop's own thread within the calls of
the logger, which noise does not touch; `in all` is what steps took longer.
"""

import argparse
import os
import signal
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))
os.environ["OMP_NUM_THREADS"] = os.environ["OPENBLAS_NUM_THREADS"] = "1"

import numpy as np  # noqa: E402

from lit_medseg.tracking.attach import begin_run  # noqa: E402
from lit_medseg.tracking.run_folder import create_run_folder  # noqa: E402
from lit_medseg.tracking.store import open_store  # noqa: E402
from tests.tracking.mlflow_server import Gate, MlflowServer  # noqa: E402

GOAL = 0.01


class Loop:
    """Steps of fixed work, in NumPy, which lets other threads run meanwhile as PyTorch does."""

    def __init__(self, step_s: float) -> None:
        self.matrix = np.random.default_rng(0).random((256, 256))
        self.times = 1
        self.times = max(1, round(step_s / min(self._seconds() for _ in range(200))))

    def _seconds(self) -> float:
        start = time.perf_counter()
        for _ in range(self.times):
            self.matrix @ self.matrix
        return time.perf_counter() - start

    def block(self, steps: int, log: Callable[[int], None]) -> tuple[float, float]:
        """Run some steps.

        Returns:
            Seconds of the whole, and processor seconds of this thread within `log`.
        """
        within = 0.0
        start = time.perf_counter()
        for step in range(steps):
            self._seconds()
            before = time.thread_time()
            log(step)
            within += time.thread_time() - before
        return time.perf_counter() - start, within


def main() -> int:
    """Measure and print; gives 1 where the goal is missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--step_ms", type=float, default=100.0)
    parser.add_argument("--steps", type=int, default=100, help="of a block")
    parser.add_argument("--blocks", type=int, default=5, help="with logging, and as many without, per state")
    options = parser.parse_args()
    met = []
    with tempfile.TemporaryDirectory() as scratch:
        os.chdir(scratch)
        server = MlflowServer(Path(scratch), f"sqlite:///{scratch}/mlflow.db")
        server.start()
        loop = Loop(options.step_ms / 1000)
        with Gate(server.uri) as gate:
            states: dict[str, Callable[[], object]] = {
                "up": lambda: None,
                "slow, 1 s per answer": lambda: setattr(gate, "delay_s", 1.0),
                "hanging": lambda: server.send(signal.SIGSTOP),
                "gone": server.kill,
            }
            folder = create_run_folder(Path("runs"), "benchmark", "0" * 16)
            logger = begin_run(folder, open_store(gate.uri, "benchmark"), {})
            for name, bring_about in states.items():
                bring_about()
                share, own = measure(loop, logger.log_metrics, options.steps, options.blocks)
                met.append(own < GOAL)
                print(f"{name:22} on the thread {own:7.3%}   in all {share:+7.2%} of a step", flush=True)
            if logger.queue is not None:
                print(f"{logger.queue.waiting} records wait in the run folder")
                logger.queue.close(0.0)
        os.chdir(ROOT)
    return 0 if all(met) else 1


def measure(loop: Loop, log_metrics: Callable[..., None], steps: int, blocks: int) -> tuple[float, float]:
    """Compare blocks with and without logging.

    Returns:
        How much longer a step took, and the processor time of the logger's calls, as shares of a bare step.
    """
    longer, own = [], []
    for block in range(blocks + 1):
        bare, _ = loop.block(steps, lambda _: None)
        first = time.time_ns() // 1_000_000
        logged, within = loop.block(
            steps, lambda step, first=first: log_metrics({f"m{i}": step / (i + 1) for i in range(10)}, first + step)
        )
        if block:  # the first warms up
            longer.append(logged / bare - 1)
            own.append(within / bare)
    return statistics.median(longer), statistics.median(own)


if __name__ == "__main__":
    sys.exit(main())
