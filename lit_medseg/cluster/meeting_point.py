"""How the ranks find the first one's watch: through torch's own store, which knows where everybody meets."""

import errno
import os
import secrets
import socket
import threading
import time
from dataclasses import dataclass
from datetime import timedelta

from torch.distributed import DistError, Store, TCPStore  # type: ignore[attr-defined]  # not in its __all__

from lit_medseg.cluster.rank_line import RankLine
from lit_medseg.cluster.rank_seat import RankSeat
from lit_medseg.errors import ClusterError, expected_got

_ANSWER_S = 20.0
_RETRY_S = 0.5


@dataclass(frozen=True)
class MeetingPoint:
    """Where the first rank waits for the others.

    Attributes:
        listening: Its socket.
        secret: What the others have to say first: it lies in the store, which only the run's processes ask.
        store: Kept open as long as the watch.
    """

    listening: socket.socket
    secret: str
    store: Store


def open_meeting_point(seat: RankSeat) -> MeetingPoint:
    """Listen for the other ranks, and write down where.

    The store's server is opened at the very place where torch's process group will look for it: within one
    process torch shares it. Under torchrun its agent has it.

    Raises:
        ClusterError: The port is taken, or the address is another machine's.
    """
    host = "127.0.0.1" if seat.local else ""
    dual = not host and socket.has_dualstack_ipv6()
    family = socket.AF_INET6 if dual else socket.AF_INET
    listening = socket.create_server((host, 0), family=family, dualstack_ipv6=dual, backlog=seat.world_size)
    secret = secrets.token_hex(16)
    try:
        serves = not _agent_serves()
        store = TCPStore(
            seat.address, seat.port, None, serves, _limit(_ANSWER_S), wait_for_workers=False, multi_tenant=serves
        )
        store.set(_key(), f"{listening.getsockname()[1]} {secret}")
    except (DistError, RuntimeError) as error:
        listening.close()
        raise _unusable(seat, error) from error
    return MeetingPoint(listening, secret, store)


def reach_first_rank(seat: RankSeat, patience_s: float) -> tuple[RankLine, Store]:
    """Connect to the first rank's watch.

    Args:
        seat: This rank's.
        patience_s: How long the first rank may come later than this one.

    Returns:
        The connection, on which this rank has said who it is, and the store.

    Raises:
        ClusterError: Nobody is there, or somebody else.
    """
    deadline = time.monotonic() + patience_s
    _await_listener(seat, deadline)
    try:
        store = _client(seat)
        store.set_timeout(_limit(max(1.0, deadline - time.monotonic())))
        port, secret = store.get(_key()).decode().split()
        connection = socket.create_connection((seat.address, int(port)), timeout=_ANSWER_S)
    except (DistError, RuntimeError, OSError) as error:
        raise _no_first_rank(seat, patience_s, error) from error
    line = RankLine(connection)
    line.send(kind="hello", rank=seat.rank, host=seat.host, secret=secret)
    return line, store


def _client(seat: RankSeat) -> TCPStore:
    """Open torch's store, whose own limit does not hold where something listens that never answers.

    Raises:
        RuntimeError: It did not answer.
    """
    found: list[TCPStore] = []
    refused: list[Exception] = []

    def open_store() -> None:
        try:
            found.append(TCPStore(seat.address, seat.port, None, False, _limit(_ANSWER_S), wait_for_workers=False))
        except RuntimeError as error:
            refused.append(error)

    opening = threading.Thread(target=open_store, daemon=True, name="store")
    opening.start()
    opening.join(_ANSWER_S)
    if not found:
        raise RuntimeError(str(refused[0]) if refused else f"something that did not answer in {_ANSWER_S:.0f} s")
    return found[0]


def _await_listener(seat: RankSeat, deadline: float) -> None:
    """Wait until somebody listens there: torch's own attempts print pages when nobody does."""
    start = time.monotonic()
    while True:
        try:
            socket.create_connection((seat.address, seat.port), timeout=5.0).close()
        except OSError as error:
            if time.monotonic() > deadline:
                raise _no_first_rank(seat, time.monotonic() - start, error) from error
        else:
            return
        time.sleep(_RETRY_S)


def _unusable(seat: RankSeat, error: Exception) -> ClusterError:
    where = f"{seat.address}:{seat.port}"
    if "EADDRINUSE" in str(error):
        todo = "Set MASTER_PORT to a free port (torchrun: --master-port), or end the process that has it"
        text = expected_got(
            where, f"the port is taken on {seat.host}", "a free port", os.strerror(errno.EADDRINUSE), todo
        )
        return ClusterError(text)
    got = _first_line(error)
    todo = "MASTER_ADDR has to name the machine of rank 0"
    return ClusterError(expected_got(where, f"rank 0 cannot listen there on {seat.host}", "its own address", got, todo))


def _no_first_rank(seat: RankSeat, waited_s: float, error: Exception) -> ClusterError:
    where, got = f"{seat.address}:{seat.port}", _first_line(error)
    todo = (
        "See what rank 0 said, that the port is free there, and that MASTER_ADDR and MASTER_PORT are right on all nodes"
    )
    what = f"rank {seat.rank} on {seat.host} has not found rank 0 in {waited_s:.0f} s"
    return ClusterError(expected_got(where, what, "rank 0's store", got, todo))


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip(".")[:300]


def _agent_serves() -> bool:
    return os.environ.get("TORCHELASTIC_USE_AGENT_STORE") == "True"


def _key() -> str:
    """Name the entry of this start: torchrun's store outlives a start of its ranks."""
    return f"lit_medseg/watch/{os.environ.get('TORCHELASTIC_RESTART_COUNT', '0')}"


def _limit(seconds: float) -> timedelta:
    return timedelta(seconds=seconds)
