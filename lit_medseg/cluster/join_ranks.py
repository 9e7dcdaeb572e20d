"""The start of the watch over the ranks."""

from lit_medseg.cluster.first_rank import FirstRank
from lit_medseg.cluster.other_rank import OtherRank
from lit_medseg.cluster.rank_seat import RankSeat
from lit_medseg.cluster.rank_watch import RankWatch


def join_ranks(seat: RankSeat | None) -> RankWatch | None:
    """Join the other ranks, as early as possible: from here a rank that fails ends the others.

    Args:
        seat: This process's place; None where it is alone, or will start the others itself.

    Raises:
        ClusterError: The port is taken, or the first rank cannot be found.
    """
    if seat is None:
        return None
    return FirstRank(seat) if seat.rank == 0 else OtherRank(seat)
