"""The other ranks, as the first one sees them."""

import selectors
import time
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from lit_medseg.cluster.meeting_point import MeetingPoint
from lit_medseg.cluster.position import Position, Standing
from lit_medseg.cluster.rank_line import RankLine


@dataclass
class Peer:
    """Another rank, once it has come.

    Attributes:
        rank: Its number.
        host: Its machine.
        line: The connection to it.
        standing: Where it is.
        done: It has said that it has done its part.
        lost: Its connection is gone.
    """

    rank: int
    host: str
    line: RankLine
    standing: Standing
    done: bool = False
    lost: bool = False


class Peers:
    """Takes connections, reads them, and writes to all.

    Args:
        point: Where the ranks come.
        count: How many will come.
    """

    def __init__(self, point: MeetingPoint, count: int) -> None:
        self.point = point
        self.count = count
        self.come: dict[int, Peer] = {}
        self._selector = selectors.DefaultSelector()
        self._selector.register(point.listening, selectors.EVENT_READ)

    @property
    def missing(self) -> list[int]:
        """The ranks that have not come."""
        return [rank for rank in range(1, self.count + 1) if rank not in self.come]

    @property
    def all_done(self) -> bool:
        """Whether each has done its part."""
        return not self.missing and all(peer.done for peer in self.come.values())

    def standings(self) -> dict[int, Standing]:
        """Give those of all ranks; none where one has not come, is done or is lost."""
        if self.missing or any(peer.done or peer.lost for peer in self.come.values()):
            return {}
        return {rank: peer.standing for rank, peer in self.come.items()}

    def news(self, wait_s: float) -> list[tuple[Peer, str, dict[str, Any]]]:
        """Wait for messages; one thread alone calls this.

        Args:
            wait_s: How long.

        Returns:
            Who, what kind of message, and its content; of a connection that is gone the kind `lost`.
        """
        found: list[tuple[Peer, str, dict[str, Any]]] = []
        for key, _ in self._selector.select(wait_s):
            if key.data is None:
                self._accept()
            else:
                found += self._read(key.data)
        return found

    def send(self, rank: int, /, **message: Any) -> None:
        """Write to one rank; where it is gone, that is noticed by reading."""
        with suppress(OSError):
            self.come[rank].line.send(**message)

    def send_all(self, **message: Any) -> None:
        """Write to all that have come."""
        for rank in list(self.come):
            self.send(rank, **message)

    def close(self) -> None:
        """Close all connections."""
        for peer in self.come.values():
            peer.line.close()
        self.point.listening.close()
        self._selector.close()

    def _accept(self) -> None:
        with suppress(OSError):
            connection, _ = self.point.listening.accept()
            line = RankLine(connection)
            self._selector.register(line, selectors.EVENT_READ, line)

    def _read(self, line: RankLine) -> list[tuple[Peer, str, dict[str, Any]]]:
        """Read a line; of a stranger nothing counts but a greeting with the secret."""
        try:
            messages = line.receive()
        except (EOFError, ValueError):
            self._selector.unregister(line)
            line.close()
            messages = [{"kind": "lost"}]
        found = []
        for message in messages:
            kind = message.pop("kind", "")
            if kind == "hello" and message.get("secret") == self.point.secret:
                rank, host = int(message["rank"]), str(message["host"])
                standing = Standing(f"rank {rank} on {host}", Position(), time.monotonic())
                self.come[rank] = Peer(rank, host, line, standing)
                continue
            peer = next((one for one in self.come.values() if one.line is line), None)
            if peer is not None:
                found.append((peer, kind, message))
        return found
