"""The sweep's own run in MLflow: made by its first worker, written by one worker at a time."""

import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from lit_medseg.errors import TrackingError, expected_got
from lit_medseg.sweep.full_disk import is_full
from lit_medseg.sweep.place import Place
from lit_medseg.tracking.give_mlflow_run import give_mlflow_run
from lit_medseg.tracking.lazy_client import LazyClient
from lit_medseg.tracking.lease import this_process, touch
from lit_medseg.tracking.queue import RecordQueue
from lit_medseg.tracking.records import Record
from lit_medseg.tracking.run_folder import RunFolder, RunState, Status
from lit_medseg.tracking.store import open_store

_PATIENCE_S = 120.0
_MARKING_S = 2.0
"""How long another command may take to mark the run of a worker that was killed."""


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
    _known: set[tuple[str, int, float | str]] = field(default_factory=set)

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
            TrackingError: There is no run yet, and the store does not answer; or there is no room for it.
        """
        folder = self.place.folder
        if is_full(folder.path):
            where, got = f"sweep {self.place.name}", "a full disk, or one that may only be read"
            text = expected_got(where, "its folder cannot be written", "a MiB of room", got, "Free some")
            raise TrackingError(text)
        state = folder.read() if (folder.path / "state.json").exists() else None
        if state is None or not state.run_id:
            store = open_store(self.uri, self.place.name)
            folder.path.mkdir(parents=True, exist_ok=True)
            touch(folder.lease)
            # a worker that was killed before it could note its run has left the key of that run
            key = "" if state is None else state.key
            folder.write(RunState("RUNNING", plan_hash, this_process(), time.time(), key=key))
            give_mlflow_run(folder, store, tags, self.place.name)
        self.run_id = folder.read().run_id
        self.lead(_MARKING_S)

    def lead(self, wait_s: float = 0.0) -> bool:
        """Try to become the worker that writes; it is RUNNING from then on.

        Args:
            wait_s: How long to wait for the one who writes; the trials of this one are not looked after meanwhile.

        Returns:
            Whether this worker leads now.
        """
        if self.leads:
            return True
        folder = self.place.folder
        try:
            queue = RecordQueue(folder.path, self.run_id, self.client, wait_s)
        except TrackingError:
            return False
        try:
            folder.take()
        except (TrackingError, OSError):
            queue.close(0.0)
            return False
        self.queue = queue
        self._known = {(one.key, one.step, one.value) for one in queue.history() if one.kind == "metric"}
        self.put(Record("status", "status", "RUNNING"))
        return True

    def put(self, *records: Record) -> None:
        """Record something where this worker leads; a full disk is no fault here, the study has everything.

        A metric that an earlier worker has recorded with this value and step is skipped.
        """
        if self.queue is None:
            return
        new = [one for one in records if one.kind != "metric" or (one.key, one.step, one.value) not in self._known]
        self._known |= {(one.key, one.step, one.value) for one in new if one.kind == "metric"}
        with suppress(TrackingError):
            self.queue.put(*new)

    def put_once(self, *records: Record) -> None:
        """Record what the run does not say yet; a parameter cannot be changed."""
        if self.queue is not None:
            said = {(one.kind, one.key) for one in self.queue.history()}
            self.put(*(one for one in records if (one.kind, one.key) not in said))

    def put_files(self, files: Iterable[Path]) -> None:
        """Record files of the sweep's folder."""
        folder = self.place.folder.path
        self.put(*(Record("artifact", "", file.relative_to(folder).as_posix()) for file in files))

    def mark(self, status: Status, reason: str = "") -> None:
        """Say how the run ends, and go on writing: whoever is killed meanwhile has left the truth."""
        if self.queue is not None:
            # an empty reason takes the place of an earlier one: the sweep has been gone on with
            self.put(Record("tag", "end_reason", reason), Record("status", "status", status))
            with suppress(OSError):  # a full disk: whoever goes on sees that this process is gone
                self.place.folder.end(status, reason)

    def end(self, status: Status | None, reason: str = "", patience_s: float = _PATIENCE_S) -> None:
        """Let go, with the run's status where it is known; None leaves it to a worker that goes on."""
        if self.queue is None:
            return
        if status is not None:
            self.mark(status, reason)
        self.queue.close(patience_s)
        self.queue = None


def note_trial(run: RunFolder, client: LazyClient, records: Sequence[Record], patience_s: float = 10.0) -> None:
    """Add to the run of a trial whose process has ended.

    Args:
        run: Its folder; nothing is done where it has no MLflow run.
        client: Talks to the tracking store.
        records: What the sweep has found out about it; a value that the run has is not added again.
        patience_s: How long to wait for the store; later the records wait in the run's folder.
    """
    try:
        run_id = run.read().run_id
        if not run_id:
            return
        queue = RecordQueue(run.path, run_id, client)
    except TrackingError:
        return
    try:
        said = {(one.kind, one.key) for one in queue.history() if one.kind != "tag"}
        queue.put(*(one for one in records if (one.kind, one.key) not in said))
    except TrackingError:
        return
    finally:
        queue.close(patience_s)
