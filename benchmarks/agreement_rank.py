"""A rank of part `agreement` of `resume.py`: steps with and without the question whether to stop.

Arguments: rank, number of ranks, port, milliseconds of a step, steps of a block, pairs of blocks. A step sleeps and
then exchanges a gradient, as DDP's do. The first rank prints one line of JSON.
"""

import json
import statistics
import sys
import tempfile
import time
from pathlib import Path

import torch
from torch import distributed

from lit_medseg.cluster.agreement import Agreement
from lit_medseg.cluster.interruption import Interruption
from lit_medseg.cluster.stop_request import StopRequest

_WARM_UP = 5


class Steps:
    """Steps of a rank, and the time in them.

    Args:
        ranks: How many.
        step_s: Length of a step.
    """

    def __init__(self, ranks: int, step_s: float) -> None:
        self.ranks, self.step_s = ranks, step_s
        self.gradient = torch.zeros(1000)
        self.agreement, self.stop = Agreement(), StopRequest(Interruption())
        self.agreement.start()

    def block(self, steps: int, folder: Path | None) -> tuple[list[float], float]:
        """Run some steps.

        Args:
            steps: How many.
            folder: The run's; None to ask nobody.

        Returns:
            Seconds of each question, and the processor seconds of all threads in the block.
        """
        seconds = []
        processor = time.process_time()
        for _ in range(steps):
            start = time.perf_counter()
            if folder is not None:
                self.agreement.largest([int(self.stop.cause(folder)), 0], self.step_s)
            seconds.append(time.perf_counter() - start)
            time.sleep(self.step_s)
            if self.ranks > 1:
                distributed.all_reduce(self.gradient)
        if folder is not None:
            self.agreement.end()
        return seconds, time.process_time() - processor


def main(rank: int, ranks: int, port: int, step_ms: int, steps: int, pairs: int) -> None:
    """Measure pairs of blocks; the first one warms up."""
    torch.set_num_threads(1)
    if ranks > 1:
        distributed.init_process_group("gloo", f"tcp://127.0.0.1:{port}", rank=rank, world_size=ranks)
    waited: list[float] = []
    processor: list[float] = []
    with tempfile.TemporaryDirectory() as folder:
        both = Steps(ranks, step_ms / 1000)
        for pair in range(pairs + 1):
            _, bare = both.block(steps, None)
            asked, full = both.block(steps, Path(folder))
            if pair:
                waited += asked[_WARM_UP:]
                processor.append((full - bare) / steps)
    if rank == 0:
        found = {"mean": statistics.mean(waited), "median": statistics.median(waited)}
        print(json.dumps({**found, "processor": statistics.median(processor)}))
    if ranks > 1:
        distributed.destroy_process_group()


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
