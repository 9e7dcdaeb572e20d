"""How srun starts a rank: `python -m lit_medseg.cluster.slurm_task SAID VERB ARGUMENTS...`.

A small process between srun and the rank. With `--kill-on-bad-exit` the first task that ends badly ends all others at
once: a rank that stops in order, a moment before the first one has told MLflow why the run ends, would cut it off. So
the other ranks report an orderly stop as a good end, and keep a failure to themselves until the first rank has had
time to record it. It imports nothing that takes time, so that no signal comes before it listens.
"""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import FrameType

from lit_medseg.cluster.die_with_parent import die_with_parent

STOPPED = (75, 130, 138, 143)
"""Exit statuses of a run that was asked to end: by a parent, Ctrl-C, SIGUSR1, SIGTERM."""
FORWARDED = (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1, signal.SIGUSR2)
"""Some sites' Slurm signals every process of a step, others only the task itself, which is this one."""
PATIENCE_S = 45.0
"""How long the first rank may take to record another rank's failure."""


def main(argv: list[str]) -> int:
    """Run `python -m lit_medseg` as one task of a job step.

    Args:
        argv: The file that the first rank's status is written to, the verb, and its arguments.

    Returns:
        The first rank's own status, 128 + n where signal n ended it; of another rank 0 for an orderly stop, and its
        own status, `PATIENCE_S` late, for a failure.
    """
    task = _Task()
    status = task.run([sys.executable, "-m", "lit_medseg", *argv[1:]])
    if os.environ.get("SLURM_PROCID", "0") == "0":
        Path(argv[0]).write_text(f"{status}\n", encoding="utf-8")
        return status
    if status == 0:
        return status
    if status in STOPPED:
        return 0
    time.sleep(PATIENCE_S)
    return status


class _Task:
    """One child, and the signals that are passed on to it."""

    def __init__(self) -> None:
        self.child: subprocess.Popen[bytes] | None = None
        for number in FORWARDED:
            signal.signal(number, self._forward)

    def run(self, command: list[str]) -> int:
        """Start the child, which ends with this process, and wait for its end."""
        # In a process group of its own: what a terminal sends to the group comes once, from here.
        self.child = subprocess.Popen(command, process_group=0, preexec_fn=die_with_parent)  # noqa: PLW1509  one thread
        status = self.child.wait()
        return status if status >= 0 else 128 - status

    def _forward(self, signum: int, frame: FrameType | None) -> None:
        if self.child is None:
            sys.exit(128 + signum)
        if self.child.returncode is None:
            self.child.send_signal(signum)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
