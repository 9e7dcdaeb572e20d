"""`sync`: send what a tracking store that was away has not taken, and mark runs whose process is gone."""

import argparse
import time
from pathlib import Path

from lit_medseg.errors import ConfigError, TrackingError, expected_got, first_ten
from lit_medseg.tracking.kept_address import address_of_run
from lit_medseg.tracking.lazy_client import LazyClient
from lit_medseg.tracking.mark_dead import mark_dead
from lit_medseg.tracking.queue import RecordQueue
from lit_medseg.tracking.records import count_waiting
from lit_medseg.tracking.run_folder import RunFolder, all_runs, dead_runs
from lit_medseg.tracking.shown_path import shown_path
from lit_medseg.tracking.store import shown_uri

_REPORT_S = 2.0
_RUNS = "runs"


def main(argv: list[str]) -> int:
    """Send the records that wait in run folders.

    Args:
        argv: The arguments after the verb.

    Returns:
        0 when nothing waits any more in the runs that nobody works on, 1 when some still do.

    Raises:
        ConfigError: A folder that was named is no run's, or not there.
        TrackingError: A run that was named is in work.
    """
    arguments = _parser().parse_args(argv)
    root = Path(arguments.runs_dir)
    named = [RunFolder(Path(run)) for run in arguments.runs]
    if named:
        _check_named(named)
    elif arguments.runs_dir != _RUNS and not root.is_dir():
        raise ConfigError(
            expected_got("--runs_dir", "no such folder", "the folder of all runs", repr(str(root)), "Name it")
        )
    for folder in mark_dead(_dead(named) if named else dead_runs(root), None):
        print(f"{shown_path(folder.path)}: marked KILLED, its process is gone")
    waiting, unreadable = _that_wait(named or all_runs(root))
    before = sum(waiting.values())
    _send_all(waiting, arguments.tracking, arguments.patience)
    left = sum(count_waiting(path) for path in waiting)
    if before + unreadable:
        print(f"{before - left} records sent, {left + unreadable} still wait")
    else:
        print("nothing waits")
    return 1 if left + unreadable else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m lit_medseg sync",
        description="Send what MLflow has not taken of runs that have ended. Exit status 1: some of it still waits.",
    )
    parser.add_argument("runs", nargs="*", metavar="RUN_FOLDER", help="such as runs/<experiment>/<run> (default: all)")
    parser.add_argument("--all", action="store_true", help="all runs below --runs_dir, as without arguments")
    parser.add_argument("--runs_dir", default=_RUNS, help="where the runs are (default: runs)")
    parser.add_argument("--tracking", help="the store's address, if it has moved (default: each run's own)")
    parser.add_argument(
        "--patience", type=float, default=30.0, help="how long a store may take nothing, in seconds (default: 30)"
    )
    return parser


def _check_named(runs: list[RunFolder]) -> None:
    """Refuse folders that are no run's, and runs that a living process works on: it sends its records itself."""
    strange = [folder for folder in runs if not (folder.path / "state.json").is_file()]
    if strange:
        todo = "Name a folder such as runs/<experiment>/<run>"
        faults = [
            expected_got(shown_path(folder.path), "no such run", "a folder with a state.json", "none", todo)
            for folder in strange
        ]
        raise ConfigError(faults[0] if len(faults) == 1 else f"{len(faults)} folders:\n{first_ten(faults)}")
    for folder in runs:
        state = folder.read()
        if folder.is_busy(state):
            owner, todo = f"process {state.owner.pid} on {state.owner.host}", "It sends its records itself"
            raise TrackingError(expected_got(shown_path(folder.path), "in work", "a run that has ended", owner, todo))


def _dead(runs: list[RunFolder]) -> list[RunFolder]:
    return [folder for folder in runs if folder.read().status == "RUNNING"]


def _that_wait(runs: list[RunFolder]) -> tuple[dict[Path, int], int]:
    """Count what waits, and say which runs are left out.

    Returns:
        The number of records by run folder, and the number of those in folders whose state cannot be read.
    """
    waiting: dict[Path, int] = {}
    unreadable = 0
    for folder in runs:
        count = count_waiting(folder.path)
        try:
            state = folder.read()
        except TrackingError as error:
            print(error)
            unreadable += count
            continue
        if count and folder.is_busy(state):
            print(f"{shown_path(folder.path)}: in work, it sends its records itself")
        elif count and not state.run_id:
            print(f"{shown_path(folder.path)}: it has no MLflow run, its records stay in its folder")
        elif count:
            waiting[folder.path] = count
    return waiting, unreadable


def _send_all(waiting: dict[Path, int], configured: str | None, patience_s: float) -> None:
    """Send run after run; a store that has let one wait in vain is not asked for the others."""
    clients: dict[str, LazyClient] = {}
    silent: set[str] = set()
    for path, count in waiting.items():
        uri = address_of_run(path, configured)
        client = clients.setdefault(uri, LazyClient(uri))
        if uri not in silent and not _send(RunFolder(path), client, count, patience_s):
            silent.add(uri)


def _send(folder: RunFolder, client: LazyClient, count: int, patience_s: float) -> bool:
    """Send one run's records, with a line of progress every two seconds.

    Returns:
        Whether the store took any; also True where another process has the records in hand.
    """
    name, where = shown_path(folder.path), shown_uri(client.uri)
    print(f"{name}: {count} records to {where}", flush=True)
    try:
        queue = RecordQueue(folder.path, folder.read().run_id, client, wait_s=0.0)
    except TrackingError as error:
        print(error)
        return True
    first = position = queue.sent
    moved = time.monotonic()
    while not queue.flush(_REPORT_S) and time.monotonic() - moved < patience_s:
        if queue.sent > position:
            position, moved = queue.sent, time.monotonic()
            print(f"{name}: {count - queue.waiting} of {count}", flush=True)
    queue.close(0.0)
    left = count_waiting(folder.path)
    print(f"{name}: {'all sent' if not left else f'{left} records still wait, {where} does not take them now'}")
    if (folder.path / "refused.jsonl").is_file():
        print(f"{name}: MLflow refused some for good, refused.jsonl says which and why")
    return queue.sent > first
