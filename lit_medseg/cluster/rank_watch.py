"""What a rank knows of the others, and tells them."""

from abc import ABC, abstractmethod
from typing import Any

from lit_medseg.cluster.position import Position
from lit_medseg.cluster.rank_failure import RankFailure
from lit_medseg.cluster.rank_seat import RankSeat

JOIN_S = 300.0
"""How long the ranks may be apart when they start: imports from a slow disk on one node."""
NOTICE_S = 5.0
"""How long a main thread may take to notice by itself that another rank has failed, in a collective that breaks."""
ORDERLY_END_S = 20.0
"""How long it may take to end."""


class RankWatch(ABC):
    """One rank's part in the watch over all: a thread of its own, and connections that the training does not use.

    Attributes:
        seat: This rank.
    """

    def __init__(self, seat: RankSeat) -> None:
        self.seat = seat
        self.position = Position()
        self._released = False

    @property
    def released(self) -> bool:
        """Whether the main thread ends this rank's work, orderly or after an error: nobody else does from then on."""
        return self._released

    def release(self) -> None:
        """Leave the end of this rank to its main thread."""
        self._released = True

    def at(self, position: Position) -> None:
        """Say where this rank is; cheap enough for several times a step."""
        self.position = position

    def exchange(self, name: str, value: Any) -> list[tuple[str, Any]]:
        """Give every rank what all ranks have; all call this in the same order.

        Args:
            name: What it is; the same on all ranks, and once a run.
            value: Plain data.

        Returns:
            Host and value of every rank, in their order.

        Raises:
            RuntimeError: Another rank has ended meanwhile.
        """
        here = self.position
        if here.section == 0:
            self.at(Position(0, here.part + 1, f"waiting for the other ranks ({name})", alone=False))
        found = self.gather(name, value)
        if here.section == 0:
            self.at(Position(0, here.part + 2, "starting"))
        return found

    @abstractmethod
    def gather(self, name: str, value: Any) -> list[tuple[str, Any]]:
        """Exchange, see there."""

    @abstractmethod
    def settle(self, error: BaseException) -> RankFailure | None:
        """Take over the end of this rank's work after an error: from here the main thread ends it.

        Args:
            error: What it caught. Where it looks like the effect of another rank's end, that is waited for.

        Returns:
            What ended the run where this rank did not: its own error is no news then. Else None.
        """

    @abstractmethod
    def close(self) -> None:
        """Say that this rank has done its part, and stop watching."""
