"""Ranks that srun has started, as Lightning asks for them."""

import os

from lightning.fabric.plugins import ClusterEnvironment
from typing_extensions import override

from lit_medseg.errors import ConfigError, expected_got

_ADDRESS = ("MASTER_ADDR", "MASTER_PORT")


class SlurmRanks(ClusterEnvironment):
    """One rank a task of a job step.

    Lightning's own takes the first node's name for its address, which need not resolve, and a port made from the job's
    number, which two jobs may share; it requeues by itself; and it takes a single process within an allocation for a
    rank of several. This one takes the address from `MASTER_ADDR` and `MASTER_PORT`, which the batch script of
    `submit` sets, and is there for job steps of several tasks alone.
    """

    @staticmethod
    @override
    def detect() -> bool:
        """Tell whether srun started this process as one of several tasks.

        A batch script, `salloc` and `srun --pty bash` set many of Slurm's variables too, but are one task: what runs
        in them starts its own ranks, as on any machine.
        """
        return "SLURM_PROCID" in os.environ and _number("SLURM_STEP_NUM_TASKS", 1) > 1

    @property
    @override
    def creates_processes_externally(self) -> bool:
        return True

    @property
    @override
    def main_address(self) -> str:
        return _address()[0]

    @property
    @override
    def main_port(self) -> int:
        return int(_address()[1])

    @override
    def world_size(self) -> int:
        return _number("SLURM_STEP_NUM_TASKS", 1)

    @override
    def set_world_size(self, size: int) -> None:
        """Nothing: Slurm has set it."""

    @override
    def global_rank(self) -> int:
        return _number("SLURM_PROCID", 0)

    @override
    def set_global_rank(self, rank: int) -> None:
        """Nothing: Slurm has set it."""

    @override
    def local_rank(self) -> int:
        return _number("SLURM_LOCALID", 0)

    @override
    def node_rank(self) -> int:
        return _number("SLURM_NODEID", 0)

    @override
    def validate_settings(self, num_devices: int, num_nodes: int) -> None:
        """Compare the trainer's ranks with the step's tasks.

        Raises:
            ConfigError: They differ: some ranks would be there twice, or never come.
        """
        tasks, nodes = self.world_size(), _number("SLURM_STEP_NUM_NODES", 1)
        if (num_devices * num_nodes, num_nodes) != (tasks, nodes):
            expected = (
                f"num_nodes {nodes} and devices {tasks // nodes}: {tasks} tasks on {nodes} nodes, as srun started"
            )
            todo = "Let `submit` write the script, or give srun and the trainer the same numbers"
            got = f"num_nodes {num_nodes} and devices {num_devices}"
            raise ConfigError(expected_got("trainer", "not the ranks that Slurm has started", expected, got, todo))


def _address() -> tuple[str, str]:
    """Look up where the ranks meet.

    Raises:
        ConfigError: The batch script did not say.
    """
    address, port = (os.environ.get(name, "") for name in _ADDRESS)
    if not address or not port.isdecimal():
        todo = "Let `submit` write the script, or export both before srun"
        got = f"{address or 'no address'} and {port or 'no port'}"
        expected = "the first node's address and a free port of it"
        raise ConfigError(expected_got(" and ".join(_ADDRESS), "where the ranks meet is unknown", expected, got, todo))
    return address, port


def _number(name: str, default: int) -> int:
    """Read one of Slurm's numbers."""
    text = os.environ.get(name, "")
    return int(text) if text.isdecimal() else default
