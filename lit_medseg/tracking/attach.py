"""Connect a run folder with its MLflow run."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from lit_medseg.cluster.blame import blame_of
from lit_medseg.errors import TrackingError, expected_got
from lit_medseg.tracking.give_mlflow_run import give_mlflow_run
from lit_medseg.tracking.lazy_client import LazyClient
from lit_medseg.tracking.note import NOTE_TAG, page_without_failure
from lit_medseg.tracking.queue import RecordQueue
from lit_medseg.tracking.records import Record
from lit_medseg.tracking.run_folder import RunFolder
from lit_medseg.tracking.run_logger import RunLogger
from lit_medseg.tracking.store import Store

if TYPE_CHECKING:
    from mlflow import MlflowClient


def begin_run(folder: RunFolder, store: Store, tags: Mapping[str, str]) -> RunLogger:
    """Make the MLflow run of a run folder that has none; one that a killed process has made for it is taken up.

    Args:
        folder: As `create_run_folder` made it, or taken from whoever ended before its MLflow run was made.
        store: The open store.
        tags: First tags; `mlflow.parentRunId` puts the run below another.

    Raises:
        TrackingError: The store does not answer.
    """
    try:
        queue = RecordQueue(folder.path, give_mlflow_run(folder, store, tags), store.client)
        history = queue.history()
        if history:  # somebody has marked the run as KILLED meanwhile
            queue.put(Record("status", "status", "RUNNING"), *_no_longer_true(history))
        return RunLogger(folder, queue)
    except BaseException as error:
        folder.end("FAILED", f"it could not be opened: {str(error)[:500]}", blame_of(error))
        raise


def continue_run(
    folder: RunFolder,
    client: "MlflowClient | LazyClient",
    config_hash: str | None = None,
    data_key: str | None = None,
    after: int | None = None,
) -> RunLogger:
    """Go on with an interrupted run: it is RUNNING again, without an end or a failure, and no step is recorded twice.

    Args:
        folder: A run that nobody works on, with its MLflow run.
        client: Talks to the store, once it answers.
        config_hash: What the run computes from here on; None for no change.
        data_key: Its data from here on; None for no change.
        after: The attempt that was the last one when this process chose the run; None to take it anyway.

    Raises:
        TrackingError: A living process works on it, or has gone on with it meanwhile, or it has no MLflow run.
    """
    queue = RecordQueue(folder.path, _run_id(folder), client)
    try:
        folder.take(config_hash, data_key, after)
    except TrackingError:
        queue.close(0.0)
        raise
    queue.put(Record("status", "status", "RUNNING"), *_no_longer_true(queue.history()))
    return RunLogger(folder, queue, resumed=True)


def add_to_run(folder: RunFolder, store: Store) -> RunLogger:
    """Add scores or files to a run without changing how it ended; end with `close(None)`.

    Raises:
        TrackingError: A living process works on it, or it has no MLflow run.
    """
    return RunLogger(folder, RecordQueue(folder.path, _run_id(folder), store.client))


def _no_longer_true(history: Sequence[Record]) -> list[Record]:
    """Take back what was recorded of the end of an earlier attempt; the tags `attempt/NN` keep it."""
    tags = {record.key: str(record.value) for record in history if record.kind == "tag"}
    news = [Record("tag", key, "") for key in ("end_reason", "failure") if tags.get(key)]
    page = page_without_failure(history)
    return news if tags.get(NOTE_TAG, "") == page else [*news, Record("tag", NOTE_TAG, page)]


def _run_id(folder: RunFolder) -> str:
    run_id = folder.read().run_id
    if not run_id:
        text = expected_got(
            f"run {folder.name}", "it has no MLflow run", "a run id in state.json", "none", "Start a new run"
        )
        raise TrackingError(text)
    return run_id
