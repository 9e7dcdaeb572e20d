"""Why a run failed, in its page."""

import logging

from lit_medseg.cluster.rank_failure import RankFailure
from lit_medseg.commands.session import Session
from lit_medseg.errors import TrackingError
from lit_medseg.tracking.atomic_write import write_atomically
from lit_medseg.tracking.note import NOTE_TAG, failure_note
from lit_medseg.tracking.run_logger import RunLogger

_LOG = logging.getLogger(__name__)
END_S = 20.0
"""How long MLflow may take: the other ranks, and who started them, wait."""
_SHOWN = 4000


def record_failure(session: Session, failure: RankFailure, reason: str | None = None) -> None:
    """End a run as FAILED, with the failing rank's own words.

    They stand in the tag `failure`, in the file `failure.txt` and at the top of the run's page in MLflow.

    Args:
        session: The run; one that this command only adds to keeps its page.
        failure: What happened, with rank and host.
        reason: The run's `end_reason`; None for the failure's own line.
    """
    logger = session.logger
    if logger is not None and logger.queue is not None and session.owns:
        try:
            _describe(logger, failure)
        except (OSError, TrackingError) as error:  # a full disk, which may be what failed: the status counts more
            _LOG.warning("the failure cannot be written down: %s", error)
    session.end("FAILED", failure.line if reason is None else reason, END_S, failure.blame)


def _describe(logger: RunLogger, failure: RankFailure) -> None:
    write_atomically(logger.folder.path / "failure.txt", failure.report)
    logger.log_artifact(logger.folder.path / "failure.txt")
    history = [] if logger.queue is None else logger.queue.history()
    note = failure_note(failure.line, failure.details[-_SHOWN:], history)
    logger.log_tags({"failure": failure.line, NOTE_TAG: note})
