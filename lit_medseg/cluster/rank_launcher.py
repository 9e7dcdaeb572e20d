"""Starts the other ranks of this machine, and lets no rank work alone."""

import os
import socket
import subprocess
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lightning.fabric.plugins import ClusterEnvironment
from lightning.fabric.utilities.distributed import _set_num_threads_if_needed
from lightning.pytorch import Trainer
from lightning.pytorch.strategies.launchers.subprocess_script import _SubprocessScriptLauncher
from torch import distributed
from typing_extensions import override

from lit_medseg.cluster.first_rank import FirstRank
from lit_medseg.cluster.rank_failure import RankFailure
from lit_medseg.cluster.rank_seat import RankSeat
from lit_medseg.cluster.rank_watch import RankWatch
from lit_medseg.cluster.same_everywhere import refuse_differences
from lit_medseg.cluster.shared_folder import refuse_unshared_folder

_OURS = {
    # The watch ends a rank that waits for nothing, and says why; torch's own would abort the process before.
    "TORCH_NCCL_ASYNC_ERROR_HANDLING": "0",
}
_KEPT = ("MASTER_ADDR", "MASTER_PORT", *_OURS)


@dataclass(frozen=True)
class RankOrders:
    """What a command tells the launcher.

    Attributes:
        command: Starts another rank.
        on_failure: Told the cause once, from a thread, when the main thread cannot be asked, see `FirstRank`.
        interrupted_s: Gives the seconds since the process was told to end at once; None where it was not.
        watch: The watch, where this process was started as one of several ranks; None where it starts the others.
        facts: What has to be the same on all ranks, see `refuse_differences`.
        start: The checkpoint that this rank would go on from; None for none.
        folder: The run folder, on the first rank; None where there is none.
    """

    command: list[str]
    on_failure: Callable[[RankFailure, bool], int]
    interrupted_s: Callable[[], float | None]
    watch: RankWatch | None = None
    facts: Mapping[str, str] = field(default_factory=dict)
    start: Path | None = None
    folder: Path | None = None

    def agree(self, watch: RankWatch) -> Path | None:
        """Give all ranks the first one's start: with a file system that lags they may have found another.

        Args:
            watch: Reaches the other ranks; all call this once.
        """
        [(_, start), *_] = watch.exchange("start", None if self.start is None else str(self.start))
        return None if start is None else Path(start)


class RankLauncher(_SubprocessScriptLauncher):
    """Lightning's launcher for ranks that live for one verb.

    Lightning's own kills the main process outright when another rank fails, so nobody is left to say that the run
    failed; it knows nothing of ranks on other nodes; and it does not wait for the other ranks at the end. This one
    compares the ranks before they work together, and leaves failures to the watch (`FirstRank`, `OtherRank`).

    """

    def __init__(
        self,
        cluster_environment: ClusterEnvironment,
        num_processes: int,
        num_nodes: int,
        orders: Callable[[], RankOrders | None],
        timeout_s: float = 1800.0,
    ) -> None:
        """Set up; see Lightning's launcher.

        Args:
            cluster_environment: Where ranks and addresses come from.
            num_processes: Ranks on this machine.
            num_nodes: Machines.
            orders: Asked when the ranks start; None for a script of the user's own, which all ranks run to its end.
            timeout_s: How long nothing may move anywhere while ranks wait for others.
        """
        super().__init__(cluster_environment, num_processes, num_nodes)
        self._watch: RankWatch | None = None
        self._orders = orders
        self._timeout_s = timeout_s

    @property
    def watch(self) -> RankWatch | None:
        """The watch over all ranks; None before the start, and in a script of the user's own."""
        orders = self._orders()
        return self._watch if orders is None or orders.watch is None else orders.watch

    @override
    def launch(self, function: Callable[..., Any], *args: Any, trainer: Trainer | None = None, **kwargs: Any) -> Any:
        orders = self._orders()
        if orders is None or trainer is None:
            return super().launch(function, *args, trainer=trainer, **kwargs)
        self.cluster_environment.validate_settings(num_devices=self.num_processes, num_nodes=self.num_nodes)
        with _own_environment(), _reserved_port() as reserved:
            watch = orders.watch or self._start_ranks(orders, reserved.getsockname()[1])
            if isinstance(watch, FirstRank):
                watch.timeout_s = self._timeout_s
                watch.interrupted_s, watch.on_failure = orders.interrupted_s, orders.on_failure
            if orders.watch is None:  # the others have compared before their command began its work
                refuse_differences(watch, orders.facts)
                orders.agree(watch)
            refuse_unshared_folder(watch, orders.folder)
            _set_num_threads_if_needed(num_processes=self.num_processes)
            result = function(*args, **kwargs)
            self._leave_together(trainer, watch)
        return result

    @override
    def kill(self, signum: int) -> None:
        """End the other ranks of this machine; whatever the signal, they are waited for."""
        if self.watch is not None:
            self.watch.release()
        if isinstance(self.watch, FirstRank):
            self.watch.kill_processes()
        if self._watch is not None:
            self._watch.close()

    def _start_ranks(self, orders: RankOrders, port: int) -> FirstRank:
        """Start the other ranks; their settings stay out of this process, which may run another verb later."""
        self._check_can_spawn_children()
        environment = self.cluster_environment
        os.environ.setdefault("MASTER_PORT", str(port))
        world_size = self.num_processes * self.num_nodes
        watch = FirstRank(RankSeat(0, world_size, environment.main_address, environment.main_port), self._timeout_s)
        self._watch = watch
        shared = {
            "MASTER_ADDR": environment.main_address,
            "MASTER_PORT": str(environment.main_port),
            "NODE_RANK": str(environment.node_rank()),
            "WORLD_SIZE": str(world_size),
        }
        for local_rank in range(1, self.num_processes):
            own = {**os.environ, **shared, "LOCAL_RANK": str(local_rank)}
            watch.processes.append(subprocess.Popen(orders.command, env=own))
        return watch

    def _leave_together(self, trainer: Trainer, watch: RankWatch) -> None:
        """Wait until every rank has done its part, so that none is cut off and the next verb starts anew.

        Raises:
            RuntimeError: A rank failed at the very end.
        """
        trainer.strategy.barrier("leave")
        if distributed.is_initialized():
            distributed.destroy_process_group()
        if isinstance(watch, FirstRank):
            watch.await_others()
            watch.kill_processes()  # one that hangs while it ends has done its part
        if self._watch is not None:
            self._watch.close()


@contextmanager
def _own_environment() -> Iterator[None]:
    """Keep what is set for these ranks from a later verb of this process."""
    before = {name: os.environ.get(name) for name in _KEPT}
    try:
        for name, own in _OURS.items():
            os.environ.setdefault(name, own)
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name, None) if value is None else os.environ.update({name: value})


def _reserved_port() -> socket.socket:
    """Hold a free port until the first rank listens on it: the two may share it, nobody else gets it meanwhile."""
    held = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    held.bind(("", 0))
    return held
