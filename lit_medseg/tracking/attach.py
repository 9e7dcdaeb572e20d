"""Connect a run folder with its MLflow run."""

from collections.abc import Mapping

from lit_medseg.errors import TrackingError, expected_got
from lit_medseg.tracking.queue import RecordQueue
from lit_medseg.tracking.records import Record
from lit_medseg.tracking.run_folder import RunFolder
from lit_medseg.tracking.run_logger import RunLogger
from lit_medseg.tracking.store import Store


def begin_run(folder: RunFolder, store: Store, tags: Mapping[str, str]) -> RunLogger:
    """Make the MLflow run of a new run folder.

    Args:
        folder: As `create_run_folder` made it.
        store: The open store.
        tags: First tags; `mlflow.parentRunId` puts the run below another.

    Raises:
        TrackingError: The store does not answer.
    """
    try:
        run_id = store.create_run(folder.name, tags)
        folder.set_run_id(run_id)
        return RunLogger(folder, RecordQueue(folder.path, run_id, store.client))
    except BaseException as error:
        folder.end("FAILED", f"it could not be opened: {str(error)[:500]}")
        raise


def continue_run(folder: RunFolder, store: Store) -> RunLogger:
    """Go on with an interrupted run: it is RUNNING again, and no step is recorded twice.

    Raises:
        TrackingError: A living process works on it, or it has no MLflow run.
    """
    run_id = _run_id(folder)
    queue = RecordQueue(folder.path, run_id, store.client)
    folder.take()
    queue.put(Record("status", "status", "RUNNING"))
    return RunLogger(folder, queue, resumed=True)


def add_to_run(folder: RunFolder, store: Store) -> RunLogger:
    """Add scores or files to a run without changing how it ended; end with `close(None)`.

    Raises:
        TrackingError: A living process works on it, or it has no MLflow run.
    """
    return RunLogger(folder, RecordQueue(folder.path, _run_id(folder), store.client))


def _run_id(folder: RunFolder) -> str:
    run_id = folder.read().run_id
    if not run_id:
        text = expected_got(
            f"run {folder.name}", "it has no MLflow run", "a run id in state.json", "none", "Start a new run"
        )
        raise TrackingError(text)
    return run_id
