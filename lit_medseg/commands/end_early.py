"""A command that ends before its work is done: the run is marked as what it is, and nobody is left behind."""

import signal
import socket
import sys

from lightning.pytorch import Trainer
from lightning.pytorch.utilities import rank_zero_only

from lit_medseg.cluster.first_rank import FirstRank
from lit_medseg.cluster.interruption import Interruption
from lit_medseg.cluster.rank_failure import RankFailure, failure_of
from lit_medseg.cluster.rank_launcher import RankLauncher
from lit_medseg.cluster.requeue import requeue
from lit_medseg.cluster.stop_request import STATUS, Cause, Stopped, reason_of
from lit_medseg.commands.record_failure import record_failure
from lit_medseg.commands.session import Session
from lit_medseg.errors import RECORDED, MedSegError

_STOP_S = 10.0
"""How long MLflow may take when the process has to be gone soon; the rest waits in the run folder."""


def end_early(
    error: BaseException, session: Session, trainer: Trainer | None, interruption: Interruption, parent: int | None
) -> int:
    """Mark the run as what it is, end the other ranks, and pass the error on.

    Args:
        error: What ended the command.
        session: The run.
        trainer: Knows the other ranks; None where it was not built yet.
        interruption: Whether the process was told to end.
        parent: The process that started this one, and sees to its being started again; None for no such process.

    Returns:
        The exit status: 128 and the number of a signal, 75 where the run was asked to stop otherwise, else that of the
        rank that failed.
    """
    stopped = isinstance(error, Stopped)
    launcher = None if trainer is None else trainer.strategy.launcher
    watch = launcher.watch if isinstance(launcher, RankLauncher) else None
    cause = None if watch is None or stopped else watch.settle(error)
    if isinstance(launcher, RankLauncher):
        launcher.kill(signal.SIGKILL)
    interrupted = interruption.happened or isinstance(error, KeyboardInterrupt | SystemExit)
    if isinstance(watch, FirstRank) and cause is not None and watch.failed_before(interruption.seconds):
        interrupted = False
    if stopped or interrupted:
        if isinstance(error, MedSegError) and cause is None:  # a full disk, say: the checkpoint of the end is missing
            print(f"error: {error}", file=sys.stderr)
        number = interruption.signal_number
        reason = error.cause if isinstance(error, Stopped) else Cause.SIGINT if number is None else Cause[number.name]
        return _end_stopped(reason, stopped, session, parent)
    return _end_failed(error, cause, session)


def _end_failed(error: BaseException, cause: RankFailure | None, session: Session) -> int:
    """End a run that failed, here or on another rank; the first rank alone says that of others."""
    rank = rank_zero_only.rank  # type: ignore[attr-defined]  # Lightning sets it on the function
    if cause is None:
        failure = failure_of(error, rank, socket.gethostname())
        record_failure(session, failure, f"{type(error).__name__}: {str(error)[:1000]}")
        if session.owns and session.logger is not None:
            error.add_note(RECORDED)
        raise error
    record_failure(session, cause)
    if rank == 0:
        print(cause.shown, file=sys.stderr)
    return max(1, cause.status)


def _end_stopped(cause: Cause, saved: bool, session: Session, parent: int | None) -> int:
    """End a run that was asked to end; a job whose time is over is put back into its queue."""
    reason = reason_of(cause, session.logger.folder.path) if session.logger is not None and session.owns else cause.name
    session.end("KILLED", reason, _STOP_S)
    if rank_zero_only.rank == 0:  # type: ignore[attr-defined]  # Lightning sets it on the function
        kept = "a checkpoint of this step" if saved else "its last checkpoint"
        marked = f": the run is marked KILLED, {kept} is kept; the same command goes on with it" if session.owns else ""
        print(f"stopped, {reason}{marked}.", file=sys.stderr)
        if cause is Cause.SIGUSR1 and parent is None and session.owns:
            requeue()
    return STATUS[cause]
