"""Which of the processes of one run this one is."""

import os
import socket
from dataclasses import dataclass

from lightning.fabric.plugins import ClusterEnvironment

from lit_medseg.errors import ClusterError, expected_got


@dataclass(frozen=True)
class RankSeat:
    """One process's place among those that train together.

    Attributes:
        rank: From 0.
        world_size: How many there are.
        address: Host that rank 0 runs on.
        port: Where torch's store listens there.
    """

    rank: int
    world_size: int
    address: str
    port: int

    @property
    def host(self) -> str:
        """This process's machine."""
        return socket.gethostname()

    @property
    def local(self) -> bool:
        """Whether all ranks are on one machine, as far as the address tells."""
        return self.address in ("127.0.0.1", "localhost", "::1")


def seat_of(environment: ClusterEnvironment, rank: int, world_size: int) -> RankSeat:
    """Find the place of a process that somebody else has started (srun, torchrun, or the first rank).

    Args:
        environment: Lightning's view of how the processes were started.
        rank: This one's number among all.
        world_size: How many there are.

    Raises:
        ClusterError: Nobody said where the ranks meet.
    """
    address, port = environment.main_address, environment.main_port
    if "MASTER_PORT" not in os.environ:
        todo = "Start the ranks by srun or torchrun, or set MASTER_ADDR and MASTER_PORT alike for all"
        raise ClusterError(expected_got("MASTER_PORT", "the ranks have no place to meet", "a port", "none", todo))
    return RankSeat(rank, world_size, address, port)
