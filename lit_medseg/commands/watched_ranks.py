"""The watch over several ranks, for as long as a command works."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from lit_medseg.cluster.join_ranks import join_ranks
from lit_medseg.cluster.rank_seat import RankSeat
from lit_medseg.cluster.rank_watch import RankWatch


@contextmanager
def watched_ranks(seat: RankSeat | None) -> Iterator[RankWatch | None]:
    """Join the other ranks, and tell them what goes wrong here.

    Args:
        seat: This process's place; None where it is alone, or will start the others itself.

    Yields:
        The watch; None without a seat.

    Raises:
        ClusterError: The ranks cannot meet.
        SystemExit: Another rank has ended the run; its line is printed by the first one.
    """
    watch = join_ranks(seat)
    if watch is None:
        yield None
        return
    try:
        yield watch
    except Exception as error:
        cause = None if watch.released else watch.settle(error)
        if cause is None:
            raise
        if watch.seat.rank == 0:
            print(cause.shown, file=sys.stderr)
        raise SystemExit(max(1, cause.status)) from error
    finally:
        watch.close()
