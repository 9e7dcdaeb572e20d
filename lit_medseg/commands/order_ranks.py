"""What the ranks of a command are told."""

import sys
from collections.abc import Mapping
from pathlib import Path

from lightning.pytorch import Trainer

from lit_medseg.cluster.exact_ddp import ExactDDP
from lit_medseg.cluster.interruption import Interruption
from lit_medseg.cluster.rank_failure import RankFailure
from lit_medseg.cluster.rank_launcher import RankOrders
from lit_medseg.cluster.rank_watch import RankWatch
from lit_medseg.cluster.start_rank import rank_command
from lit_medseg.commands.record_failure import END_S, record_failure
from lit_medseg.commands.session import Session


def order_ranks(
    trainer: Trainer,
    session: Session,
    interruption: Interruption,
    argv: list[str],
    facts: Mapping[str, str],
    start: Path | None,
    watch: RankWatch | None,
) -> Path | None:
    """Tell the strategy how another rank is started, and what to do when one fails; nothing without ranks.

    Args:
        trainer: Its strategy starts the ranks.
        session: The run.
        interruption: Whether the process was told to end.
        argv: The verb and its arguments, for ranks that this process starts.
        facts: What has to be the same on all ranks.
        start: The checkpoint that this rank would go on from.
        watch: Of ranks that were started by others; None where this process starts them.

    Returns:
        The checkpoint that all go on from: the first rank's.
    """

    def ended(failure: RankFailure, failed: bool) -> int:
        if not failed:
            session.end("KILLED", "it did not end in time after a signal", END_S)
            return 128 + (interruption.signal_number or 0)
        print(failure.shown, file=sys.stderr)
        record_failure(session, failure)
        return failure.status

    strategy = trainer.strategy
    if not isinstance(strategy, ExactDDP):
        return start
    folder = session.logger.folder.path if session.logger is not None and session.logger.queue is not None else None
    command, seconds = rank_command("lit_medseg", argv), lambda: interruption.seconds
    strategy.orders = RankOrders(command, ended, seconds, watch, facts, start, folder)
    return start if watch is None else strategy.orders.agree(watch)
