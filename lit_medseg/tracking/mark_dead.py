"""Mark runs whose process is gone."""

from typing import TYPE_CHECKING

from lit_medseg.errors import TrackingError
from lit_medseg.tracking.kept_address import kept_address
from lit_medseg.tracking.lazy_client import LazyClient
from lit_medseg.tracking.queue import RecordQueue
from lit_medseg.tracking.records import Record
from lit_medseg.tracking.run_folder import RunFolder

if TYPE_CHECKING:
    from mlflow import MlflowClient

REASON = "its process ended without a word (kill, lost machine or power)"


def mark_dead(
    runs: list[RunFolder], client: "MlflowClient | LazyClient | None", timeout_s: float = 5.0
) -> list[RunFolder]:
    """Mark runs as KILLED in their folder and in MLflow, and send the records that they left unsent.

    Args:
        runs: As `dead_runs` lists them.
        client: Talks to the store of these runs; a run whose folder names another store is sent there. None sends
            nothing.
        timeout_s: How long all of them together may wait for the store; what it does not take in time waits in the
            run folder.

    Returns:
        The runs that were marked; one that another command is just marking, or going on with, is left out, and one
        that this user may not write to.
    """
    marked: list[RunFolder] = []
    left_s = timeout_s
    for folder in runs:
        try:
            run_id = folder.read().run_id
            its_client = _client_of(folder, client) if run_id and left_s > 0 else None
            queue = RecordQueue(folder.path, run_id, its_client, wait_s=0.0)
        except (TrackingError, OSError):  # in use, damaged, or somebody else's where only its owner may write
            continue
        if _is_dead(folder):
            queue.put(Record("tag", "end_reason", REASON), Record("status", "status", "KILLED"))
            folder.end("KILLED", REASON)
            marked.append(folder)
        # A store that has let one run wait in vain would let every other wait as well.
        left_s = left_s if queue.close(left_s) or not run_id else 0.0
    return marked


def _is_dead(folder: RunFolder) -> bool:
    """Ask again, now that nobody else can take the run: another command may have gone on with it, or marked it."""
    state = folder.read()
    return state.status == "RUNNING" and not folder.is_busy(state)


def _client_of(folder: RunFolder, client: "MlflowClient | LazyClient | None") -> "MlflowClient | LazyClient | None":
    if client is None:
        return None
    kept = kept_address(folder.path)
    here = client.uri if isinstance(client, LazyClient) else client.tracking_uri
    return client if kept in (None, here) else LazyClient(str(kept))
