"""Mark runs whose process is gone."""

from typing import TYPE_CHECKING

from lit_medseg.errors import TrackingError
from lit_medseg.tracking.queue import RecordQueue
from lit_medseg.tracking.records import Record
from lit_medseg.tracking.run_folder import RunFolder

if TYPE_CHECKING:
    from mlflow import MlflowClient

REASON = "its process ended without a word (kill, lost machine or power)"


def mark_dead(runs: list[RunFolder], client: "MlflowClient", timeout_s: float = 5.0) -> list[RunFolder]:
    """Mark runs as KILLED in their folder and in MLflow, and send the records that they left unsent.

    Args:
        runs: As `dead_runs` lists them.
        client: Talks to the store of these runs.
        timeout_s: How long each may take; what the store does not take in time waits in the run folder.

    Returns:
        The runs that were marked; one that another command is just marking is left out.
    """
    marked = []
    for folder in runs:
        try:
            state = folder.read()
            queue = RecordQueue(folder.path, state.run_id, client if state.run_id else None)
        except TrackingError:
            continue
        queue.put(Record("tag", "end_reason", REASON), Record("status", "status", "KILLED"))
        folder.end("KILLED", REASON)
        queue.close(timeout_s)
        marked.append(folder)
    return marked
