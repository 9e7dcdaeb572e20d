"""The first rank's watch over the others."""

import logging
import signal
import subprocess
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from typing_extensions import override

from lit_medseg.cluster.blame import Blame
from lit_medseg.cluster.hang import Hang
from lit_medseg.cluster.leave import leave_at_once
from lit_medseg.cluster.main_stack import main_stack
from lit_medseg.cluster.meeting_point import open_meeting_point
from lit_medseg.cluster.peers import Peer, Peers
from lit_medseg.cluster.position import Position, Standing, find_hang
from lit_medseg.cluster.rank_failure import RankFailure, failure_of
from lit_medseg.cluster.rank_seat import RankSeat
from lit_medseg.cluster.rank_watch import JOIN_S, NOTICE_S, ORDERLY_END_S, RankWatch
from lit_medseg.cluster.verdict import Verdict, Weight

_LOG = logging.getLogger(__name__)
_POLL_S = 0.25
_PATIENCE_S = 120.0
"""How long an interrupted run may stay silent where no rank is behind: one step may be long."""


class FirstRank(RankWatch):
    """Hears failures and positions of all ranks, names the cause, and ends the run where the main thread cannot.

    A thread does that. It leaves the end to the main thread where that notices within seconds that a rank has failed.
    Where it hangs in a collective that nobody will join, the thread ends the other ranks, has the failure recorded, and
    leaves the process.

    Attributes:
        processes: Those of this machine that this process has started: ranks 1, 2, ...
        on_failure: Told the cause, and whether the run failed (else it did not end by itself when it was told to),
            before the thread leaves the process; gives the exit status. None while there is no run yet.
        interrupted_s: Gives the seconds since the process was told to end; None where it was not.
        timeout_s: How long nothing may move anywhere while ranks wait for others.
    """

    def __init__(self, seat: RankSeat, timeout_s: float = 1800.0) -> None:
        """Open the place where the ranks meet.

        Args:
            seat: This rank's, the first.
            timeout_s: See the attributes.

        Raises:
            ClusterError: The port is taken.
        """
        super().__init__(seat)
        self.timeout_s = timeout_s
        self.processes: list[subprocess.Popen[bytes]] = []
        self.on_failure: Callable[[RankFailure, bool], int] | None = None
        self.interrupted_s: Callable[[], float | None] = lambda: None
        self._peers = Peers(open_meeting_point(seat), seat.world_size - 1)
        self._news = threading.Condition()
        self._values: dict[str, dict[int, tuple[str, Any]]] = {}
        self._verdict = Verdict()
        self._hang = Hang(self._ask_for_stack)
        self._broken_s: float | None = None
        self._closing = threading.Event()
        self._opened_s = time.monotonic()
        self._own = Standing(f"rank 0 on {seat.host}", self.position, self._opened_s)
        self._thread = threading.Thread(target=self._run, daemon=True, name="rank-watch")
        self._thread.start()

    @override
    def at(self, position: Position) -> None:
        super().at(position)
        self._own = Standing(self._own.where, position, time.monotonic())

    @override
    def gather(self, name: str, value: Any) -> list[tuple[str, Any]]:
        with self._news:
            self._put(name, 0, self.seat.host, value)
            self._news.wait_for(lambda: self._complete(name) or self._verdict.cause is not None)
            if not self._complete(name):
                raise RuntimeError("another rank has ended")
            return [self._values[name][rank] for rank in range(self.seat.world_size)]

    @override
    def settle(self, error: BaseException) -> RankFailure | None:
        own = failure_of(error, 0, self.seat.host, self.position.text)
        with self._news:
            waits = own.felt or self._verdict.heard
            self._news.wait_for(lambda: self._verdict.cause is not None, NOTICE_S if waits else 0.0)
            self.release()
            cause = self._verdict.cause
        self._tell_all(cause or own)
        return None if cause is None or cause.text == own.text else cause

    def failed_before(self, asked_s: float | None) -> bool:
        """Tell whether a rank had failed before the process was told to end: srun and torchrun do so then.

        Args:
            asked_s: Seconds since it was told to; None where it was not.
        """
        return self._verdict.heard and (asked_s is None or time.monotonic() - self._verdict.since_s > asked_s)

    def await_others(self) -> None:
        """Wait until every rank has done its part, so that none is cut off; 20 s at most.

        Raises:
            RuntimeError: One failed at the very end.
        """
        with self._news:
            self._news.wait_for(lambda: self._all_ended() or self._verdict.cause is not None, ORDERLY_END_S)
            if self._verdict.cause is not None:
                raise RuntimeError(self._verdict.cause.line)
            self.release()

    def kill_processes(self) -> None:
        """End the ranks that this process has started."""
        for process in self.processes:
            process.kill()
        for process in self.processes:
            with suppress(subprocess.TimeoutExpired):
                process.wait(timeout=NOTICE_S)

    @override
    def close(self) -> None:
        self.release()
        if not self._closing.is_set():
            self._peers.send_all(kind="bye")
            self._closing.set()
            self._thread.join(NOTICE_S)
            self._peers.close()

    def _run(self) -> None:
        while not self._closing.is_set():
            news = self._peers.news(_POLL_S)
            with self._news:
                for peer, kind, message in news:
                    self._take(peer, kind, message)
                if not self.released:
                    self._judge(time.monotonic())
                self._news.notify_all()

    def _take(self, peer: Peer, kind: str, message: dict[str, Any]) -> None:
        """Act on a message."""
        now = time.monotonic()
        if kind == "at":
            peer.standing = Standing(peer.standing.where, Position(**message), now)
        elif kind == "value":
            self._put(message["name"], peer.rank, peer.host, message["value"])
        elif kind == "failure":
            failure = RankFailure(**message)
            self._verdict.add(failure, Weight.FELT if failure.felt else Weight.OWN_WORDS, now)
        elif kind == "stack":
            self._hang.stacks[peer.rank] = str(message["text"])
        elif kind == "bye":
            peer.done = True
        elif kind == "lost":
            peer.lost = True
            if not peer.done:
                where = peer.standing.position.text
                text = f"ended without a word (killed, out of memory, or its machine is gone), {where}"
                self._verdict.add(RankFailure(peer.rank, peer.host, text, blame=Blame.LOST), Weight.LOST, now)

    def _put(self, name: str, rank: int, host: str, value: Any) -> None:
        """Note a rank's value, and tell all once it is the last."""
        self._values.setdefault(name, {})[rank] = (host, value)
        if self._complete(name):
            values = [self._values[name][number] for number in range(self.seat.world_size)]
            self._peers.send_all(kind="values", name=name, values=values)

    def _complete(self, name: str) -> bool:
        return len(self._values.get(name, {})) == self.seat.world_size

    def _judge(self, now: float) -> None:
        """See whether the run has to end, and end it where the main thread does not."""
        self._look_at_processes(now)
        asked_s = self.interrupted_s()
        if asked_s is not None and not self.failed_before(asked_s):
            self._hurry(asked_s, now)
            return
        if self._verdict.decide(now) is None:
            self._look_for_silence(now)
        cause = self._verdict.decide(now)
        if cause is not None and (self._hang.found or now - self._verdict.since_s > NOTICE_S):
            self._give_up(cause, failed=True)

    def _look_at_processes(self, now: float) -> None:
        for rank, process in enumerate(self.processes, start=1):
            peer = self._peers.come.get(rank)
            if process.poll() and not (peer is not None and peer.done):
                blame = Blame.LOST if process.returncode < 0 else Blame.SETTINGS
                failure = RankFailure(rank, self.seat.host, _ended(process.returncode), blame=blame)
                self._verdict.add(failure, Weight.EXIT_STATUS, now)

    def _look_for_silence(self, now: float) -> None:
        """See who has not come, at the start or since."""
        missing = self._peers.missing
        failure: RankFailure | None = None
        if missing and now - self._opened_s > JOIN_S:
            listed = ", ".join(map(str, missing[:10])) + (", ..." if len(missing) > 10 else "")
            text = f"did not come within {JOIN_S:.0f} s of rank 0's start; missing of {self.seat.world_size}: {listed}"
            failure = RankFailure(missing[0], "an unknown machine", text, blame=Blame.LOST)
        elif self._hang.found:
            hosts = {0: self.seat.host, **{rank: peer.host for rank, peer in self._peers.come.items()}}
            failure = self._hang.failure(hosts, now)
        else:
            self._hang.look(self._standings(), now, self.timeout_s)
        if failure is not None:
            self._verdict.add(failure, Weight.OWN_WORDS, now)

    def _standings(self) -> dict[int, Standing]:
        others = self._peers.standings()
        return {0: self._own, **others} if others else {}

    def _ask_for_stack(self, rank: int) -> None:
        if rank == 0:
            self._hang.stacks[0] = main_stack()
        else:
            self._peers.send(rank, kind="stack?")

    def _hurry(self, asked_s: float, now: float) -> None:
        """End an interrupted run in which nothing moves: its main thread may wait for a rank that hangs."""
        standings = self._standings() or {0: self._own}
        silent_s = min(asked_s, now - max(one.since_s for one in standings.values()))
        behind = find_hang(standings, now, 0.0) or self._verdict.decide(now)
        if self._broken_s is None and silent_s > (ORDERLY_END_S if behind else _PATIENCE_S):
            self._broken_s = now
            self._tell_all(RankFailure(0, self.seat.host, "did not end by itself after a signal"))
            for process in self.processes:
                process.kill()  # a broken connection wakes the main thread
        elif self._broken_s is not None and now - self._broken_s > NOTICE_S:
            self._give_up(RankFailure(0, self.seat.host, "did not end by itself after a signal"), failed=False)

    def _give_up(self, cause: RankFailure, failed: bool) -> None:
        """End everything from this thread."""
        self.release()
        self._tell_all(cause)
        self.kill_processes()
        status = 1
        try:
            if self.on_failure is None:
                _LOG.error(cause.line)
            else:
                status = self.on_failure(cause, failed)
        finally:
            leave_at_once(max(1, status))

    def _all_ended(self) -> bool:
        return self._peers.all_done and all(process.poll() is not None for process in self.processes)

    def _tell_all(self, failure: RankFailure) -> None:
        self._peers.send_all(kind="end", **vars(failure))


def _ended(status: int) -> str:
    """Put an exit status into words."""
    if status < 0:
        return f"was ended by signal {-status} ({signal.strsignal(-status)})"
    return f"ended with status {status}; its own message stands above"
