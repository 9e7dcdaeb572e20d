"""The records of a run on disk: appended lines, and a mark of how far they were sent."""

import json
import math
import os
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, get_args

from lit_medseg.errors import TrackingError, expected_got
from lit_medseg.tracking.atomic_write import write_atomically

Kind = Literal["metric", "param", "tag", "artifact", "input", "status"]
MAX_PARAM_LENGTH = 6000
MAX_TAG_LENGTH = 8000
"""MLflow's own limits, in characters."""


def now_ms() -> int:
    """Milliseconds since 1970."""
    return time.time_ns() // 1_000_000


@dataclass(frozen=True)
class Record:
    """One thing that MLflow shall know.

    Attributes:
        kind: What it is.
        key: Name of the metric, parameter or tag; artifact: folder within the run's artifacts.
        value: Metric: the number. Artifact: the file, relative to the run folder. Input: the data set as JSON.
            Status: RUNNING, FINISHED, FAILED or KILLED. Otherwise the text.
        step: Of a metric.
        time_ms: When it was recorded first; sent again it is the same, which is how MLflow knows a repetition.
    """

    kind: Kind
    key: str
    value: float | str
    step: int = 0
    time_ms: int = field(default_factory=now_ms)

    def line(self) -> bytes:
        """Write the record as one line of JSON, with numbers that JSON lacks as text (`nan`, `inf`)."""
        value = self.value
        if isinstance(value, float) and not math.isfinite(value):
            value = str(value)
        plain = {"kind": self.kind, "key": self.key, "value": value, "step": self.step, "time_ms": self.time_ms}
        return json.dumps(plain, allow_nan=False).encode() + b"\n"


def parse_record(line: bytes) -> Record | None:
    """Read a line back; None for a line that was damaged (a crash of the machine can leave zeros)."""
    try:
        plain: dict[str, Any] = json.loads(line)
        value = float(plain["value"]) if plain["kind"] == "metric" else str(plain["value"])
        record = Record(plain["kind"], str(plain["key"]), value, int(plain["step"]), int(plain["time_ms"]))
    except (ValueError, TypeError, KeyError):
        return None
    return record if record.kind in get_args(Kind) else None


def read_records(file: Path, position: int = 0) -> Iterator[tuple[Record | None, int]]:
    """Read records that another process may be writing just now.

    Args:
        file: The `records.jsonl` of a run folder; one that is not there has no records.
        position: Where to go on, as an earlier call gave it; 0 for the start.

    Yields:
        Each record (None for a damaged line) and the position behind it; a line that is not whole yet is left out.
    """
    try:
        lines = file.open("rb")
    except FileNotFoundError:
        return
    with lines:
        lines.seek(position)
        for line in lines:
            if not line.endswith(b"\n"):
                return
            position += len(line)
            yield parse_record(line), position


def sent_position(folder: Path) -> int:
    """Read how many bytes of a run folder's records were sent.

    Returns:
        0 where none were, or where the mark is damaged: sending again does no harm.
    """
    try:
        return int(json.loads((folder / "sent.json").read_text())["bytes"])
    except (OSError, ValueError, TypeError, KeyError):
        return 0


def count_waiting(folder: Path) -> int:
    """Count the records of a run folder that were not sent; also of one that another process works on."""
    return sum(1 for _ in read_records(folder / "records.jsonl", sent_position(folder)))


def _write_all(handle: int, content: bytes, position: int) -> None:
    """Write at a position; a disk that is nearly full takes a part first and refuses the rest with an error."""
    done = 0
    while done < len(content):
        done += os.pwrite(handle, content[done:], position + done)


class RecordFile:
    """`records.jsonl` and `sent.json` of a run folder; one writer at a time, which `RecordQueue` sees to.

    Args:
        folder: The run folder.
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder / "records.jsonl"
        self._sent = folder / "sent.json"
        self._lock = threading.Lock()
        self._handle = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o644)
        self._size = self._whole_size()
        os.ftruncate(self._handle, self._size)

    def _whole_size(self) -> int:
        """Bytes up to the last line's end: what a killed writer left behind it is no record."""
        end = os.fstat(self._handle).st_size
        while end > 0:
            start = max(0, end - 65536)
            cut = os.pread(self._handle, end - start, start).rfind(b"\n")
            if cut >= 0:
                return start + cut + 1
            end = start
        return 0

    @property
    def size(self) -> int:
        """Bytes recorded."""
        return self._size

    @property
    def sent(self) -> int:
        """Bytes sent; 0 where nothing was, or where the mark is damaged (sending again does no harm)."""
        return min(sent_position(self._sent.parent), self._size)

    def mark_sent(self, position: int) -> None:
        """Note that all records up to a byte position have arrived.

        The records are forced to the disk first: a mark beyond what a lost machine left of them would hide later ones.
        """
        self.sync()
        write_atomically(self._sent, json.dumps({"bytes": position}) + "\n")

    def append(self, records: list[Record]) -> None:
        """Add records at the end, in one write.

        Raises:
            TrackingError: The disk is full or gone; nothing of these records stays behind.
        """
        lines = b"".join(record.line() for record in records)
        with self._lock:
            try:
                _write_all(self._handle, lines, self._size)
            except OSError as error:
                os.ftruncate(self._handle, self._size)
                text = expected_got(
                    self._path.name, "records cannot be written", "room on the disk", error, "Free some"
                )
                raise TrackingError(text) from error
            self._size += len(lines)

    def read(self, position: int) -> Iterator[tuple[Record | None, int]]:
        """Read on from a byte position.

        Args:
            position: Start of a line.

        Yields:
            Each record (None for a damaged line) and the position behind it, up to what is recorded now.
        """
        end = self._size
        for record, behind in read_records(self._path, position):
            yield record, behind
            if behind >= end:
                return

    def sync(self) -> None:
        """Force the records to the disk."""
        os.fsync(self._handle)

    def close(self) -> None:
        """Sync and close."""
        self.sync()
        os.close(self._handle)
