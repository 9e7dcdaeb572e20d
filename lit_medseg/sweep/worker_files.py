"""Who works, and has worked, at a sweep: one file a process, touched as long as it lives."""

import json
import os
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path

from lit_medseg.tracking.atomic_write import write_atomically
from lit_medseg.tracking.lease import Owner, is_alive, this_process, touch


class WorkerFile:
    """This process's sign of life.

    Args:
        folder: Where all of them are.
    """

    def __init__(self, folder: Path) -> None:
        owner = this_process()
        folder.mkdir(parents=True, exist_ok=True)
        self._file = folder / f"{owner.host}-{owner.pid}-{int(time.time())}.json"
        content = {"owner": asdict(owner), "started": _now(folder)}
        write_atomically(self._file, json.dumps(content))

    def renew(self) -> None:
        """Show that the process lives."""
        touch(self._file)


def _now(folder: Path) -> float:
    """Ask the file system for the time: it also says when a worker gave its last sign of life."""
    clock = folder / f".clock-{os.getpid()}"
    clock.touch()
    now = clock.stat().st_mtime
    clock.unlink()
    return now


def living_workers(folder: Path) -> list[Owner]:
    """List the processes that work at a sweep now."""
    return [owner for file, owner, _ in _read(folder) if is_alive(owner, file)]


def worked_s(folder: Path) -> float:
    """Add up the time in which at least one process worked at a sweep, in seconds; pauses do not count."""
    spans = []
    for file, _, started in _read(folder):
        with suppress(OSError):
            spans.append((started, max(started, file.stat().st_mtime)))
    total, covered = 0.0, 0.0
    for start, end in sorted(spans):
        total += max(0.0, end - max(start, covered))
        covered = max(covered, end)
    return total


def _read(folder: Path) -> Iterator[tuple[Path, Owner, float]]:
    for file in folder.glob("*.json"):
        with suppress(OSError, ValueError, TypeError, KeyError):
            plain = json.loads(file.read_text(encoding="utf-8"))
            yield file, Owner(**plain["owner"]), float(plain["started"])
