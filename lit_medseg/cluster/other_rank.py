"""The part of every rank but the first in the watch over all."""

import logging
import selectors
import threading
import time
from typing import Any

from typing_extensions import override

from lit_medseg.cluster.blame import Blame
from lit_medseg.cluster.leave import leave_at_once
from lit_medseg.cluster.main_stack import main_stack
from lit_medseg.cluster.meeting_point import reach_first_rank
from lit_medseg.cluster.position import Position
from lit_medseg.cluster.rank_failure import RankFailure, failure_of
from lit_medseg.cluster.rank_seat import RankSeat
from lit_medseg.cluster.rank_watch import JOIN_S, NOTICE_S, RankWatch

_LOG = logging.getLogger(__name__)
_POLL_S = 0.25
_LEAVE_S = 2 * NOTICE_S
FIRST_GOES_S = 30.0
"""How long this rank stays after a failure for the first one to record it: srun and torchrun end all others when one
process ends badly."""
_RANKS_A_SECOND = 64
"""How many positions a second the first rank may get."""


class OtherRank(RankWatch):
    """Tells the first rank where this one is and what went wrong, and leaves when the first is gone.

    A thread does that. It gives the main thread seconds to notice by itself that the run is over. After a failure, no
    rank ends before the first one has, unless that takes half a minute.

    Args:
        seat: This rank's.

    Raises:
        ClusterError: The first rank cannot be found.
    """

    def __init__(self, seat: RankSeat) -> None:
        super().__init__(seat)
        self._line, self._store = reach_first_rank(seat, JOIN_S)
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._line, selectors.EVENT_READ)
        self._news = threading.Condition()
        self._values: dict[str, list[tuple[str, Any]]] = {}
        self._over: RankFailure | None = None
        self._over_s = 0.0
        self._gone = self._failed = False
        self._told: tuple[Position, float] = (self.position, 0.0)
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True, name="rank-watch")
        self._thread.start()

    @override
    def gather(self, name: str, value: Any) -> list[tuple[str, Any]]:
        self._send(kind="value", name=name, value=value)
        with self._news:
            self._news.wait_for(lambda: name in self._values or self._over is not None)
            if name not in self._values:
                raise RuntimeError("another rank has ended")
            return [(host, one) for host, one in self._values[name]]

    @override
    def settle(self, error: BaseException) -> RankFailure | None:
        own = failure_of(error, self.seat.rank, self.seat.host, self.position.text)
        with self._news:
            self._news.wait_for(lambda: self._over is not None, NOTICE_S if own.felt else 0.0)
            self.release()
            over = self._over
        if over is None:
            self._failed = True
            self._send(kind="failure", **vars(own))
        with self._news:
            self._news.wait_for(lambda: self._gone, FIRST_GOES_S)
            same = self._over is not None and self._over.text == own.text
            return self._over if same else over

    @override
    def close(self) -> None:
        self.release()
        if self._over is None and not self._failed:
            self._send(kind="bye")
        self._closing.set()
        self._thread.join(NOTICE_S)
        self._selector.close()
        self._line.close()

    def _run(self) -> None:
        while not self._closing.is_set():
            if self._gone:
                self._closing.wait(_POLL_S)
            else:
                self._listen()
            if self._over is None:
                self._tell()
            elif not self.released:
                over_s = time.monotonic() - self._over_s
                if over_s > (_LEAVE_S if self._gone else FIRST_GOES_S):
                    leave_at_once(max(1, self._over.status))

    def _listen(self) -> None:
        try:
            messages = self._line.receive() if self._selector.select(_POLL_S) else []
        except (EOFError, ValueError):
            lost = RankFailure(0, self.seat.address, "ended without a word", blame=Blame.LOST)
            messages = [{"kind": "end", **vars(lost)}]
            self._gone = True
        for message in messages:
            self._take(message.pop("kind"), message)

    def _take(self, kind: str, message: dict[str, Any]) -> None:
        if kind == "stack?":
            self._send(kind="stack", text=main_stack())
        with self._news:
            if kind == "values":
                self._values[message["name"]] = [(str(host), value) for host, value in message["values"]]
            elif kind == "end" and self._over is None:
                self._over, self._over_s = RankFailure(**message), time.monotonic()
            elif kind == "bye":
                self._gone = True
            self._news.notify_all()

    def _tell(self) -> None:
        """Send the position where it is a new one, not too often."""
        position, now = self.position, time.monotonic()
        told, told_s = self._told
        if position is not told and now - told_s >= max(_POLL_S, self.seat.world_size / _RANKS_A_SECOND):
            self._told = (position, now)
            self._send(kind="at", **vars(position))

    def _send(self, **message: Any) -> None:
        """Send; where the first rank is gone, the thread that listens finds out."""
        try:
            self._line.send(**message)
        except OSError as error:
            _LOG.debug("rank 0 cannot be told: %s", error)
