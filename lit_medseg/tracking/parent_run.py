"""The run of a command that starts others: a cross-validation, a sweep. Recorded without Lightning."""

from collections.abc import Mapping
from pathlib import Path
from typing import Self

from lit_medseg.cluster.blame import blame_of
from lit_medseg.errors import TrackingError
from lit_medseg.tracking.give_mlflow_run import give_mlflow_run
from lit_medseg.tracking.lazy_client import LazyClient
from lit_medseg.tracking.queue import RecordQueue
from lit_medseg.tracking.records import MAX_PARAM_LENGTH, MAX_TAG_LENGTH, Record
from lit_medseg.tracking.run_folder import RunFolder, Status
from lit_medseg.tracking.safe_key import safe_key
from lit_medseg.tracking.store import open_store

_RUNNING_AGAIN = (Record("status", "status", "RUNNING"), Record("tag", "end_reason", ""))


class ParentRun:
    """Writes metrics, parameters, tags and files of such a run; the lease is touched while it is open.

    Attributes:
        folder: Its run folder.
        run_id: Number of its MLflow run.
    """

    def __init__(self, folder: RunFolder, queue: RecordQueue) -> None:
        """Open; see `begin` and `resume`."""
        self.folder, self.run_id = folder, queue.run_id
        self._queue = queue
        self._known = {(record.kind, record.key, record.step): record.value for record in queue.history()}

    @classmethod
    def begin(cls, folder: RunFolder, uri: str, tags: Mapping[str, str]) -> Self:
        """Make the MLflow run of a run folder that this process owns; one that a killed process has made is taken up.

        Args:
            folder: RUNNING.
            uri: The store's address, see `resolve_uri`.
            tags: First tags.

        Raises:
            TrackingError: The store does not answer.
        """
        try:
            store = open_store(uri, folder.experiment)
            queue = RecordQueue(folder.path, give_mlflow_run(folder, store, tags), store.client)
            if queue.history():  # somebody has marked the run as KILLED meanwhile
                queue.put(*_RUNNING_AGAIN)
            return cls(folder, queue)
        except TrackingError as error:
            folder.end("FAILED", f"it could not be opened: {str(error)[:500]}", blame_of(error))
            raise

    @classmethod
    def resume(cls, folder: RunFolder, uri: str, tags: Mapping[str, str]) -> Self:
        """Go on with a run that nobody works on: it is RUNNING again. The store need not answer yet.

        Args:
            folder: Of an interrupted, a failed or a scheduled run.
            uri: The store's address.
            tags: First tags, where its MLflow run was never made.

        Raises:
            TrackingError: A living process works on it.
        """
        run_id = folder.read().run_id
        queue = RecordQueue(folder.path, run_id, LazyClient(uri)) if run_id else None
        try:
            folder.take()
        except TrackingError:
            if queue is not None:
                queue.close(0.0)
            raise
        if queue is None:
            return cls.begin(folder, uri, tags)
        queue.put(*_RUNNING_AGAIN)
        return cls(folder, queue)

    def metrics(self, values: Mapping[str, float], step: int = 0) -> None:
        """Record numbers; what was recorded before with equal value and step is skipped."""
        self._put([Record("metric", safe_key(key), float(value), step) for key, value in values.items()])

    def params(self, values: Mapping[str, object]) -> None:
        """Record parameters; MLflow never changes one, so one that was recorded before is skipped."""
        records = [Record("param", safe_key(key), str(value)[:MAX_PARAM_LENGTH]) for key, value in values.items()]
        self._put([record for record in records if (record.kind, record.key, record.step) not in self._known])

    def tags(self, values: Mapping[str, str]) -> None:
        """Record tags; a later value replaces an earlier one."""
        self._put([Record("tag", safe_key(key), value[:MAX_TAG_LENGTH]) for key, value in values.items()])

    def artifact(self, file: Path, folder: str = "") -> None:
        """Record a file of the run folder.

        Args:
            file: Within the run folder.
            folder: Folder within the run's artifacts; empty for their top.
        """
        self._queue.put(Record("artifact", folder, file.relative_to(self.folder.path).as_posix()))

    def close(self, status: Status, reason: str = "") -> bool:
        """End the run, truthfully.

        Args:
            status: How it ended.
            reason: Why, for one that did not finish.

        Returns:
            Whether MLflow has everything; what it has not waits in the run folder.
        """
        self._queue.put(Record("tag", "end_reason", reason[:MAX_TAG_LENGTH]), Record("status", "status", status))
        self.folder.end(status, reason)
        return self._queue.close()

    def _put(self, records: list[Record]) -> None:
        news = [one for one in records if str(self._known.get((one.kind, one.key, one.step))) != str(one.value)]
        self._known |= {(one.kind, one.key, one.step): one.value for one in news}
        self._queue.put(*news)
