"""The sweep's own run in MLflow: made by its first worker, written by one worker at a time."""

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from lit_medseg.errors import TrackingError
from lit_medseg.sweep.place import Place
from lit_medseg.tracking.lazy_client import LazyClient
from lit_medseg.tracking.lease import this_process, touch
from lit_medseg.tracking.queue import RecordQueue
from lit_medseg.tracking.records import Record
from lit_medseg.tracking.run_folder import RunFolder, RunState, Status
from lit_medseg.tracking.safe_key import safe_key
from lit_medseg.tracking.store import open_store

_PATIENCE_S = 120.0


@dataclass
class SweepRun:
    """The run that holds what the sweep as a whole has found; its trials' runs are below it.

    Attributes:
        place: The sweep's folders.
        uri: Address of the tracking store.
        run_id: Number of the MLflow run.
        queue: The way of its records; None where another worker writes them.
    """

    place: Place
    uri: str
    run_id: str = ""
    queue: RecordQueue | None = None

    def __post_init__(self) -> None:
        """Prepare the client, which connects when it is needed."""
        self.client = LazyClient(self.uri)

    @property
    def leads(self) -> bool:
        """Whether this worker writes."""
        return self.queue is not None

    def open(self, plan_hash: str, tags: Mapping[str, str]) -> None:
        """Make the run where there is none, and try to lead; the caller holds the set-up lock.

        Args:
            plan_hash: Kept in the folder.
            tags: First tags of a new run.

        Raises:
            TrackingError: There is no run yet, and the store does not answer.
        """
        folder = self.place.folder
        if not (folder.path / "state.json").exists() or not folder.read().run_id:
            store = open_store(self.uri, self.place.name)
            folder.path.mkdir(parents=True, exist_ok=True)
            touch(folder.lease)
            folder.write(RunState("RUNNING", plan_hash, this_process(), time.time()))
            folder.set_run_id(store.create_run(self.place.name, tags))
        self.run_id = folder.read().run_id
        self.lead()

    def lead(self) -> bool:
        """Try to become the worker that writes; it is RUNNING from then on.

        Returns:
            Whether this worker leads now.
        """
        if self.leads:
            return True
        folder = self.place.folder
        try:
            queue = RecordQueue(folder.path, self.run_id, self.client)
        except TrackingError:
            return False
        try:
            folder.take()
        except TrackingError:
            queue.close(0.0)
            return False
        self.queue = queue
        self.put(Record("status", "status", "RUNNING"))
        return True

    def put(self, *records: Record) -> None:
        """Record something where this worker leads; a full disk is no fault here, the study has everything."""
        if self.queue is not None:
            try:
                self.queue.put(*records)
            except TrackingError:
                return

    def put_files(self, files: Iterable[Path]) -> None:
        """Record files of the sweep's folder."""
        folder = self.place.folder.path
        self.put(*(Record("artifact", "", file.relative_to(folder).as_posix()) for file in files))

    def end(self, status: Status | None, reason: str = "") -> None:
        """Let go, with the run's status where it is known; None leaves it to a worker that goes on."""
        if self.queue is None:
            return
        if status is not None:
            # an empty reason takes the place of an earlier one: the sweep has been gone on with
            self.put(Record("tag", "end_reason", reason), Record("status", "status", status))
            self.place.folder.end(status, reason)
        self.queue.close(_PATIENCE_S)
        self.queue = None


def tag_trial(run: RunFolder, client: LazyClient, tags: Mapping[str, str], patience_s: float = 3.0) -> None:
    """Add tags to the run of a trial whose process has ended.

    Args:
        run: Its folder; nothing is done where it has no MLflow run.
        client: Talks to the tracking store.
        tags: What the sweep has found out about it.
        patience_s: How long to wait for the store; later the tags wait in the run's folder.
    """
    try:
        run_id = run.read().run_id
        if not run_id:
            return
        queue = RecordQueue(run.path, run_id, client)
    except TrackingError:
        return
    try:
        queue.put(*(Record("tag", safe_key(key), value[:8000]) for key, value in tags.items()))
    except TrackingError:
        return
    finally:
        queue.close(patience_s)
