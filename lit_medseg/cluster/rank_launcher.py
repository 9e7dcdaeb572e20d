"""Starts the other ranks of this machine, and ends the run truthfully when one of them fails."""

import ctypes
import logging
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

from lightning.fabric.plugins import ClusterEnvironment
from lightning.fabric.utilities.distributed import _set_num_threads_if_needed
from lightning.pytorch import Trainer
from lightning.pytorch.strategies.launchers.subprocess_script import _SubprocessScriptLauncher
from typing_extensions import override

_LOG = logging.getLogger(__name__)
_PR_SET_PDEATHSIG = 1


def die_with_parent() -> None:
    """Have the kernel end this process when its parent ends, however that happens (Linux; nothing elsewhere)."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


class RankLauncher(_SubprocessScriptLauncher):
    """Lightning's launcher with another watcher.

    Lightning's own kills the main process outright when another rank fails, so nobody is left to say that the run
    failed. This one ends the other ranks, lets `on_failure` record it, and then leaves with status 1: the main thread
    may hang in a collective that nobody will join, so it cannot be asked.
    """

    def __init__(
        self,
        cluster_environment: ClusterEnvironment,
        num_processes: int,
        num_nodes: int,
        on_failure: Callable[[str], None],
        command: Callable[[], list[str] | None],
    ) -> None:
        """Set up; see Lightning's launcher.

        Args:
            cluster_environment: Where ranks and addresses come from.
            num_processes: Ranks on this machine.
            num_nodes: Machines.
            on_failure: Called once, from the watching thread, with what happened.
            command: Asked when the ranks start: what starts another one; None for the command of this process.
        """
        super().__init__(cluster_environment, num_processes, num_nodes)
        self._command = command
        self._on_failure = on_failure

    @override
    def launch(self, function: Callable[..., Any], *args: Any, trainer: Trainer | None = None, **kwargs: Any) -> Any:
        self.cluster_environment.validate_settings(num_devices=self.num_processes, num_nodes=self.num_nodes)
        if not self.cluster_environment.creates_processes_externally:
            self._call_children_scripts()
            threading.Thread(target=self._watch, args=(list(self.procs),), daemon=True, name="rank-watcher").start()
        _set_num_threads_if_needed(num_processes=self.num_processes)
        return function(*args, **kwargs)

    @override
    def _call_children_scripts(self) -> None:
        command = self._command()
        if command is None:
            super()._call_children_scripts()
            return
        self._check_can_spawn_children()
        environment = self.cluster_environment
        os.environ["MASTER_ADDR"] = environment.main_address
        os.environ["MASTER_PORT"] = str(environment.main_port)
        os.environ["NODE_RANK"] = str(environment.node_rank())
        os.environ["LOCAL_RANK"] = str(environment.local_rank())
        os.environ["WORLD_SIZE"] = str(self.num_processes * self.num_nodes)
        for local_rank in range(1, self.num_processes):
            self.procs.append(subprocess.Popen(command, env={**os.environ, "LOCAL_RANK": str(local_rank)}))

    def _watch(self, ranks: list[subprocess.Popen[bytes]]) -> None:
        while any(rank.poll() is None for rank in ranks) and not any(rank.returncode for rank in ranks):
            time.sleep(0.5)
        failed = [number for number, rank in enumerate(ranks, start=1) if rank.returncode]
        if not failed:
            return
        # an interrupt or an error of rank 0 ends the others too: then it is rank 0 that tells, within this time
        time.sleep(3.0)
        code = ranks[failed[0] - 1].returncode
        for rank in ranks:
            rank.kill()
        text = f"rank {failed[0]} ended with status {code}; its own message stands above"
        _LOG.error(text)
        try:
            self._on_failure(text)
        finally:
            os._exit(1)
