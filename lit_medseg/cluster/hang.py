"""A run in which nothing moves."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from lit_medseg.cluster.position import Standing, describe_hang, find_hang
from lit_medseg.cluster.rank_failure import RankFailure

_STACK_S = 3.0
"""How long the ranks behind may take to say where exactly they are."""


@dataclass
class Hang:
    """Looks for ranks that the others wait for, and asks these for their stacks before it names them.

    Attributes:
        ask: Asks a rank for its stack, which is added to `stacks` when it comes.
        stacks: What was answered, by rank.
        found: Whether a hang was found; it stays one.
    """

    ask: Callable[[int], None]
    stacks: dict[int, str] = field(default_factory=dict)
    found: bool = False
    _behind: list[int] = field(default_factory=list)
    _text: str = ""
    _table: str = ""
    _until_s: float = 0.0

    def look(self, standings: Mapping[int, Standing], now_s: float, limit_s: float) -> None:
        """See whether nothing moves.

        Args:
            standings: Of all ranks; empty while some are not at work.
            now_s: On the clock of the standings.
            limit_s: How long nothing may move.
        """
        self._behind = find_hang(standings, now_s, limit_s)
        if self._behind:
            self.found = True
            self._text, self._table = describe_hang(standings, self._behind, now_s)
            self._until_s = now_s + _STACK_S
            for rank in self._behind:
                self.ask(rank)

    def failure(self, hosts: Mapping[int, str], now_s: float) -> RankFailure | None:
        """Name the first rank that did not come; None while its answer may still come.

        Args:
            hosts: Machine of every rank.
            now_s: As in `look`.
        """
        if now_s <= self._until_s and not set(self._behind) <= set(self.stacks):
            return None
        stacks = [f"rank {rank} was here:\n{text}" for rank, text in sorted(self.stacks.items())]
        first = self._behind[0]
        return RankFailure(first, hosts[first], self._text, "\n\n".join([self._table, *stacks]))
