"""One ordered queue per run: training appends, a thread sends, nothing is lost while the server is away."""

import logging
import threading
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from lit_medseg.tracking.delivery import Delivery, fits
from lit_medseg.tracking.kept_address import keep_address
from lit_medseg.tracking.lazy_client import LazyClient
from lit_medseg.tracking.lease import HEARTBEAT_S, touch
from lit_medseg.tracking.queue_lock import QueueLock
from lit_medseg.tracking.records import Record, RecordFile
from lit_medseg.tracking.refusal import note_refused
from lit_medseg.tracking.without_password import without_password

if TYPE_CHECKING:
    from mlflow import MlflowClient

_log = logging.getLogger(__name__)
LINGER_S = 1.0
"""How long the first record of a batch waits for company."""
FIRST_RETRY_S = 0.5
LAST_RETRY_S = 30.0
SILENT_S = 10.0
"""How long `close` waits for a store that takes nothing, ..."""
SILENT_TRIES = 3
"""... once it was asked so often in vain: a slow one needs longer than one that is away."""
FILE_TRIES = 5
"""How often a file is tried before it goes behind what waits after it."""


@dataclass(frozen=True)
class _Silence:
    """Since when, and how often in vain, the store was asked; all zero while it answers."""

    since: float = 0.0
    tries: int = 0
    retry_s: float = 0.0

    def longer(self) -> "_Silence":
        retry_s = min(2 * self.retry_s, LAST_RETRY_S) if self.retry_s else FIRST_RETRY_S
        return _Silence(self.since or time.monotonic(), self.tries + 1, retry_s)


class RecordQueue:
    """The way of every record from this process to one MLflow run.

    Args:
        folder: The run folder; records that an earlier process left there unsent are sent first. The store's address
            is kept there.
        run_id: Number of the MLflow run.
        client: Talks to the store; one that is lazy need not reach it yet. None only records.
        wait_s: How long another process may still have the queue: one that marks a dead run, or `sync`, while the run
            goes on already.

    Raises:
        TrackingError: Another living process has the queue open.
    """

    def __init__(
        self, folder: Path, run_id: str, client: "MlflowClient | LazyClient | None", wait_s: float = 20.0
    ) -> None:
        self.folder = folder
        self.run_id = run_id
        self._lock = QueueLock(folder / "records.lock", wait_s)
        self._file = RecordFile(folder)
        self._sent = self._file.sent
        self._changed = threading.Condition()
        self._urgent = False
        self._closing = False
        self._silence = _Silence()
        self._behind = 0
        self._thread: threading.Thread | None = None
        if client is not None:
            lazy = client if isinstance(client, LazyClient) else LazyClient(client.tracking_uri, client)
            keep_address(folder, lazy.uri)
            self._delivery = Delivery(lazy, run_id, folder)
            self._thread = threading.Thread(target=self._run, name="record-queue", daemon=True)
            self._thread.start()

    @property
    def waiting(self) -> int:
        """How many records were not sent yet."""
        return sum(1 for _ in self._file.read(self._sent))

    @property
    def sent(self) -> int:
        """How many bytes of the records were sent: it grows while the store takes some."""
        return self._sent

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
        """Send what is there without waiting for more; a store that was silent is asked anew at once."""
        with self._changed:
            self._urgent = True
            self._silence = replace(self._silence, retry_s=0.0)
            self._changed.notify_all()

    def flush(self, timeout_s: float, silent_s: float | None = None) -> bool:
        """Wait until everything recorded so far was sent.

        Args:
            timeout_s: The longest wait.
            silent_s: The longest wait for a store that takes nothing; None for no such limit.

        Returns:
            Whether all of it was sent; False at once where the queue has no client.
        """
        goal = self._file.size
        started = moved = time.monotonic()
        sent = self._sent
        self.nudge()
        with self._changed:
            while self._sent < max(goal, self._behind) and self._thread is not None:
                now = time.monotonic()
                if self._sent > sent:
                    sent, moved = self._sent, now
                tried = self._silence.tries >= SILENT_TRIES
                silent = silent_s is not None and tried and now - moved >= silent_s
                if silent or now - started >= timeout_s:
                    break
                self._changed.wait(min(0.5, started + timeout_s - now))
            return self._sent >= max(goal, self._behind)

    def close(self, timeout_s: float = 60.0) -> bool:
        """Flush, stop the thread and let go of the folder; closing again does nothing.

        Args:
            timeout_s: The longest wait for the store; one that takes nothing for `SILENT_S` ends it sooner.

        Returns:
            Whether everything was sent; what was not waits in the folder.
        """
        if self._closing:
            return self._sent >= self._file.size
        delivered = self.flush(timeout_s, SILENT_S)
        with self._changed:
            self._closing = True
            self._changed.notify_all()
        if self._thread is not None:
            # A request in the air ends by its own time limit; the daemon thread must not hold up the process.
            self._thread.join(timeout=2.0 if not delivered else None)
        if self._thread is None or not self._thread.is_alive():
            self._file.close()
        else:
            self._file.sync()
        self._lock.release()
        return delivered

    def _run(self) -> None:
        """Send until closed, with growing pauses while the store does not answer."""
        while self._wait_for_work():
            try:
                taken = self._send_one_batch()
            except Exception as error:
                if not self._silence.tries:
                    text = without_password(str(error) or type(error).__name__)[:200]
                    _log.warning("MLflow does not answer, records wait in %s: %s", self.folder.name, text)
                self._silence = self._silence.longer()
                self._pause(self._silence.retry_s)
                continue
            if taken and self._silence.tries:
                silent_s = time.monotonic() - self._silence.since
                _log.warning("MLflow answers again after %.0f s, records go on.", silent_s)
            self._silence = _Silence() if taken else replace(self._silence, tries=1)

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
        """Wait before the next attempt; a new call of `nudge` or `flush` tries at once."""
        with self._changed:
            self._urgent = False
            self._changed.notify_all()
            self._changed.wait_for(lambda: self._urgent or self._closing, seconds)

    def _send_one_batch(self) -> bool:
        """Send what fits in one request; False where it was a file that had to go behind the others."""
        batch: list[Record] = []
        position = self._sent
        for record, behind in self._file.read(self._sent):
            if record is not None and not fits(batch, record):
                break
            if record is not None:
                batch.append(record)
            position = behind
        taken = True
        try:
            refused = self._delivery.send(batch) if batch else []
        except Exception:
            if not self._may_go_behind(batch[0], position):
                raise
            # At the end of the queue it is tried again: neither lost, nor in the way of all that comes after it.
            self._file.append(batch)
            self._behind = self._file.size
            taken, refused = False, []
        for record, reason in refused:
            note_refused(self.folder, record, reason)
        self._file.mark_sent(position)
        with self._changed:
            self._sent = position
            if self._sent >= self._file.size:
                self._urgent = False
            self._changed.notify_all()
        return taken

    def _may_go_behind(self, record: Record, position: int) -> bool:
        """Whether a file that was tried often is what the store does not take, while it takes other things."""
        tried = record.kind == "artifact" and self._silence.tries >= FILE_TRIES
        return tried and position < self._file.size and self._delivery.knows_run()
