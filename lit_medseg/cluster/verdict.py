"""Which of the failures that come in together is the cause."""

from dataclasses import dataclass, field
from enum import IntEnum

from lit_medseg.cluster.rank_failure import RankFailure

WAIT_S = 2.0
"""How long a better explanation may come after a worse one: broken connections are felt before their cause is heard."""


class Weight(IntEnum):
    """How much a failure explains; the smallest is the cause."""

    OWN_WORDS = 0
    """The rank itself said what happened."""
    EXIT_STATUS = 1
    """The system said how its process ended."""
    LOST = 2
    """Its connection broke."""
    FELT = 3
    """It said that its connection to others broke."""


@dataclass
class Verdict:
    """Collects failures until one is the cause; what comes later is an effect.

    Attributes:
        cause: The cause; None until it is decided.
        since_s: When the first failure was heard.
    """

    cause: RankFailure | None = None
    since_s: float = 0.0
    _heard: list[tuple[Weight, int, RankFailure]] = field(default_factory=list)

    @property
    def heard(self) -> bool:
        """Whether anything failed."""
        return bool(self._heard)

    def add(self, failure: RankFailure, weight: Weight, now_s: float) -> None:
        """Take note of a failure.

        Args:
            failure: Of any rank.
            weight: How much it explains.
            now_s: On any clock that only grows.
        """
        if not self._heard:
            self.since_s = now_s
        self._heard.append((weight, len(self._heard), failure))
        self.decide(now_s)

    def decide(self, now_s: float) -> RankFailure | None:
        """Give the cause; None where nothing failed, or more may be heard."""
        if self.cause is None and self._heard:
            weight, _, best = min(self._heard, key=lambda one: one[:2])
            if weight is Weight.OWN_WORDS or now_s - self.since_s >= WAIT_S:
                self.cause = best
        return self.cause
