"""One ordered queue per run: training appends, a thread sends, nothing is lost while the server is away."""

import json
import logging
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

from lit_medseg.tracking.delivery import Delivery, fits
from lit_medseg.tracking.lease import HEARTBEAT_S, touch
from lit_medseg.tracking.queue_lock import QueueLock
from lit_medseg.tracking.records import Record, RecordFile

if TYPE_CHECKING:
    from mlflow import MlflowClient

_log = logging.getLogger(__name__)
LINGER_S = 1.0
"""How long the first record of a batch waits for company."""
FIRST_RETRY_S = 0.5
LAST_RETRY_S = 30.0


class RecordQueue:
    """The way of every record from this process to one MLflow run.

    Args:
        folder: The run folder; records that an earlier process left there unsent are sent first.
        run_id: Number of the MLflow run.
        client: Talks to the store; None only records.

    Raises:
        TrackingError: Another living process has the queue open.
    """

    def __init__(self, folder: Path, run_id: str, client: "MlflowClient | None") -> None:
        self.folder = folder
        self.run_id = run_id
        self._lock = QueueLock(folder / "records.lock")
        self._file = RecordFile(folder)
        self._sent = self._file.sent
        self._changed = threading.Condition()
        self._urgent = False
        self._closing = False
        self._thread: threading.Thread | None = None
        if client is not None:
            self._delivery = Delivery(client, run_id, folder)
            self._thread = threading.Thread(target=self._run, name="record-queue", daemon=True)
            self._thread.start()

    @property
    def waiting(self) -> int:
        """How many records were not sent yet."""
        return sum(1 for _ in self._file.read(self._sent))

    def history(self) -> list[Record]:
        """Read everything that was ever recorded for this run, in order."""
        return [record for record, _ in self._file.read(0) if record is not None]

    def put(self, *records: Record) -> None:
        """Record at once and send soon; never waits for the server.

        Raises:
            TrackingError: The run folder's disk is full.
        """
        if records:
            self._file.append(list(records))
            with self._changed:
                self._changed.notify_all()

    def nudge(self) -> None:
        """Send what is there without waiting for more, and force the records to the disk."""
        self._file.sync()
        with self._changed:
            self._urgent = True
            self._changed.notify_all()

    def flush(self, timeout_s: float) -> bool:
        """Wait until everything recorded so far was sent.

        Args:
            timeout_s: The longest wait.

        Returns:
            Whether all of it was sent; False at once where the queue has no client.
        """
        goal = self._file.size
        deadline = time.monotonic() + timeout_s
        self.nudge()
        with self._changed:
            while self._sent < goal and self._thread is not None:
                left = deadline - time.monotonic()
                if left <= 0 or not self._changed.wait(left):
                    break
            return self._sent >= goal

    def close(self, timeout_s: float = 60.0) -> bool:
        """Flush, stop the thread and let go of the folder; closing again does nothing.

        Returns:
            Whether everything was sent; what was not waits in the folder.
        """
        if self._closing:
            return self._sent >= self._file.size
        delivered = self.flush(timeout_s)
        with self._changed:
            self._closing = True
            self._changed.notify_all()
        if self._thread is not None:
            # A request in the air ends by its own time limit; the daemon thread must not hold up the process.
            self._thread.join(timeout=2.0 if not delivered else None)
        if self._thread is None or not self._thread.is_alive():
            self._file.close()
        self._lock.release()
        return delivered

    def _run(self) -> None:
        """Send until closed, with growing pauses while the store does not answer."""
        retry_s = FIRST_RETRY_S
        silent_since: float | None = None
        while self._wait_for_work():
            try:
                self._send_one_batch()
            except Exception as error:
                if silent_since is None:
                    silent_since = time.monotonic()
                    _log.warning("MLflow does not answer, records wait in %s: %s", self.folder.name, str(error)[:200])
                self._pause(retry_s)
                retry_s = min(2 * retry_s, LAST_RETRY_S)
                continue
            if silent_since is not None:
                _log.warning("MLflow answers again after %.0f s, records go on.", time.monotonic() - silent_since)
            silent_since, retry_s = None, FIRST_RETRY_S

    def _wait_for_work(self) -> bool:
        """Sleep until there is a batch to send, touching the lease meanwhile; False when the queue was closed."""
        touch(self.folder / "lease")
        with self._changed:
            while not self._closing and self._sent >= self._file.size:
                if not self._changed.wait(HEARTBEAT_S):
                    touch(self.folder / "lease")
            if not self._closing and not self._urgent:
                self._changed.wait_for(lambda: self._urgent or self._closing, LINGER_S)
            return not self._closing

    def _pause(self, seconds: float) -> None:
        """Wait before the next attempt; a new call of `flush` tries at once."""
        with self._changed:
            self._urgent = False
            self._changed.wait_for(lambda: self._urgent or self._closing, seconds)

    def _send_one_batch(self) -> None:
        batch: list[Record] = []
        position = self._sent
        for record, behind in self._file.read(self._sent):
            if record is not None and not fits(batch, record):
                break
            if record is not None:
                batch.append(record)
            position = behind
        refused = self._delivery.send(batch) if batch else []
        self._note_refused(refused)
        self._file.mark_sent(position)
        with self._changed:
            self._sent = position
            if self._sent >= self._file.size:
                self._urgent = False
            self._changed.notify_all()

    def _note_refused(self, refused: list[tuple[Record, str]]) -> None:
        """Keep what MLflow will never take, with the reason, where a person finds it."""
        for record, reason in refused:
            _log.warning("MLflow refuses %s %r: %s", record.kind, record.key, reason)
            with (self.folder / "refused.jsonl").open("a") as file:
                file.write(json.dumps({"reason": reason, "record": json.loads(record.line())}) + "\n")
