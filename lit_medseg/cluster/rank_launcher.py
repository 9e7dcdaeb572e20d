"""Starts the other ranks of this machine, and ends the run truthfully when one of them fails."""

import logging
import os
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from lightning.fabric.plugins import ClusterEnvironment
from lightning.fabric.utilities.distributed import _set_num_threads_if_needed
from lightning.pytorch import Trainer
from lightning.pytorch.strategies.launchers.subprocess_script import _SubprocessScriptLauncher
from torch import distributed
from typing_extensions import override

_LOG = logging.getLogger(__name__)
_POLL_S = 0.5
_NOTICE_S = 5.0
"""How long the main thread may take to notice a failed rank by itself, in a collective that breaks."""
_ORDERLY_END_S = 20.0
"""How long it may take to end after a signal."""
_ADDRESS = ("MASTER_ADDR", "MASTER_PORT")


@dataclass(frozen=True)
class RankOrders:
    """What a command tells the launcher.

    Attributes:
        command: Starts another rank.
        on_failure: Told once what happened, from a thread of the launcher, when the main thread cannot be asked.
        interrupted_s: Gives the seconds since the process was told to end; None where it was not.
    """

    command: list[str]
    on_failure: Callable[[str], None]
    interrupted_s: Callable[[], float | None]


class RankLauncher(_SubprocessScriptLauncher):
    """Lightning's launcher for ranks that live for one verb.

    Lightning's own kills the main process outright when another rank fails, so nobody is left to say that the run
    failed; and it does not wait for the other ranks at the end. This one lets the main thread end the run. Where that
    hangs in a collective that nobody will join, a thread ends the other ranks, has the failure recorded, and leaves.
    """

    def __init__(
        self,
        cluster_environment: ClusterEnvironment,
        num_processes: int,
        num_nodes: int,
        orders: Callable[[], RankOrders | None],
    ) -> None:
        """Set up; see Lightning's launcher.

        Args:
            cluster_environment: Where ranks and addresses come from.
            num_processes: Ranks on this machine.
            num_nodes: Machines.
            orders: Asked when the ranks start; None for a script of the user's own, which all ranks run to its end.
        """
        super().__init__(cluster_environment, num_processes, num_nodes)
        self._orders = orders
        self._settled = threading.Event()
        self._cause = ("", 0)

    @override
    def launch(self, function: Callable[..., Any], *args: Any, trainer: Trainer | None = None, **kwargs: Any) -> Any:
        orders = self._orders()
        if orders is None or trainer is None:
            return super().launch(function, *args, trainer=trainer, **kwargs)
        self.cluster_environment.validate_settings(num_devices=self.num_processes, num_nodes=self.num_nodes)
        before = {name: os.environ.get(name) for name in _ADDRESS}
        with _reserved_port() as reserved:
            if not self.cluster_environment.creates_processes_externally:
                os.environ.setdefault("MASTER_PORT", str(reserved.getsockname()[1]))
                self._start_ranks(orders)
            _set_num_threads_if_needed(num_processes=self.num_processes)
            try:
                result = function(*args, **kwargs)
                self._leave_together(trainer)
            finally:
                for name, value in before.items():
                    os.environ.pop(name, None) if value is None else os.environ.update({name: value})
        return result

    @override
    def kill(self, signum: int) -> None:
        """End the other ranks; from here on the main thread ends the run."""
        self.failure()
        self._settled.set()
        super().kill(signum)
        for rank in self.procs:
            with suppress(subprocess.TimeoutExpired):
                rank.wait(timeout=_NOTICE_S)

    def failure(self, wait_s: float = 0.0) -> tuple[str, int]:
        """Tell which rank failed first.

        Args:
            wait_s: How long to wait for one to end: its broken connections are noticed first.

        Returns:
            What happened and the exit status; empty and 0 where no rank ended badly by itself.
        """
        deadline = time.monotonic() + wait_s
        while not self._cause[0] and not self._settled.is_set():
            for number, rank in enumerate(self.procs, start=1):
                if rank.poll():
                    self._cause = (f"rank {number} {_ended(rank.returncode)}", rank.returncode)
                    break
            if time.monotonic() >= deadline:
                break
            time.sleep(0.1)
        return self._cause

    def _start_ranks(self, orders: RankOrders) -> None:
        """Start the other ranks; their settings stay out of this process, which may run another verb later."""
        self._check_can_spawn_children()
        environment = self.cluster_environment
        shared = {
            "MASTER_ADDR": environment.main_address,
            "MASTER_PORT": str(environment.main_port),
            "NODE_RANK": str(environment.node_rank()),
            "WORLD_SIZE": str(self.num_processes * self.num_nodes),
        }
        for local_rank in range(1, self.num_processes):
            own = {**os.environ, **shared, "LOCAL_RANK": str(local_rank)}
            self.procs.append(subprocess.Popen(orders.command, env=own))
        threading.Thread(target=self._watch, args=(orders,), daemon=True, name="rank-watcher").start()

    def _leave_together(self, trainer: Trainer) -> None:
        """Wait until every rank has done its part, so that none is cut off and the next verb starts anew.

        Raises:
            RuntimeError: A rank failed at the very end.
        """
        trainer.strategy.barrier("leave")
        if distributed.is_initialized():
            distributed.destroy_process_group()
        deadline = time.monotonic() + _ORDERLY_END_S
        while time.monotonic() < deadline and any(rank.poll() is None for rank in self.procs):
            time.sleep(0.05)
        if self.failure()[0]:
            raise RuntimeError(self._cause[0])
        self._settled.set()
        for rank in self.procs:
            rank.kill()  # one that hangs while it ends has done its part

    def _watch(self, orders: RankOrders) -> None:
        while not self._settled.wait(_POLL_S):
            asked_s = orders.interrupted_s()
            if asked_s is not None and asked_s > _ORDERLY_END_S:
                text = "the first rank did not end by itself"
            elif asked_s is not None and asked_s > _NOTICE_S:
                # the main thread may wait for a rank that hangs: a broken connection wakes it
                self._break_connections()
                continue
            elif asked_s is None and self.failure()[0] and not self._settled.wait(_NOTICE_S):
                text = self._cause[0]
            else:
                continue
            self._give_up(orders, text)

    def _break_connections(self) -> None:
        for rank in self.procs:
            rank.kill()

    def _give_up(self, orders: RankOrders, text: str) -> None:
        """End everything from this thread."""
        self._break_connections()
        _LOG.error(text)
        try:
            orders.on_failure(text)
        finally:
            os._exit(1 if orders.interrupted_s() is None else 130)


def _reserved_port() -> socket.socket:
    """Hold a free port until the first rank listens on it: the two may share it, nobody else gets it meanwhile."""
    held = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    held.bind(("", 0))
    return held


def _ended(status: int) -> str:
    """Put an exit status into words."""
    if status < 0:
        return f"was ended by signal {-status} ({signal.strsignal(-status)})"
    return f"ended with status {status}; its own message stands above"
