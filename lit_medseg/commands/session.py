"""One command's hold on a run: opened on the first rank, ended exactly once and truthfully."""

import logging
import os
import socket
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from lightning.pytorch.utilities import rank_zero_only

from lit_medseg.cluster.blame import Blame
from lit_medseg.commands.experiment_cli import ExperimentCLI
from lit_medseg.commands.find_attempt import Attempt
from lit_medseg.commands.find_checkpoint import Checkpoint
from lit_medseg.tracking.attach import add_to_run, begin_run, continue_run
from lit_medseg.tracking.kept_address import address_of_run
from lit_medseg.tracking.lazy_client import LazyClient
from lit_medseg.tracking.mark_dead import mark_dead
from lit_medseg.tracking.queue_lock import QueueLock
from lit_medseg.tracking.run_folder import RunFolder, Status, create_run_folder, dead_runs
from lit_medseg.tracking.run_logger import RunLogger
from lit_medseg.tracking.store import open_store, resolve_uri

if TYPE_CHECKING:
    from mlflow import MlflowClient

_LOG = logging.getLogger(__name__)
PARENT_TAG = "mlflow.parentRunId"


@dataclass
class Session:
    """A run in the hands of this command.

    Attributes:
        logger: Writes to the run, on other ranks nowhere; None in a `fast_dev_run`.
        store: Address of the MLflow store that keeps it; empty on other ranks.
        owns: True for a run whose end is this command's end (`fit`). False for one that it only adds to.
        goes_on: True for a run that an earlier attempt has begun.
    """

    logger: RunLogger | None = None
    store: str = ""
    owns: bool = False
    goes_on: bool = False
    _attempt: str = ""
    _ended: bool = False
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def begin_attempt(self, start: str) -> None:
        """Tag the run with who works on it from here on.

        Args:
            start: Where it goes on from.
        """
        if self.logger is not None and self.logger.queue is not None and self.owns:
            self._attempt = f"{_place()}, {time.strftime('%Y-%m-%d %H:%M:%S')}, {start}"
            self.logger.log_tags({self._attempt_key: self._attempt})

    def end(self, status: Status, reason: str = "", timeout_s: float = 60.0, blame: Blame = Blame.SETTINGS) -> None:
        """End the run; a second call (of the thread that watches the ranks, say) waits for the first, nothing else.

        Args:
            status: How it ended.
            reason: Why, for a run that did not finish.
            timeout_s: How long to wait for MLflow; what it has not taken by then waits in the run folder.
            blame: Of a FAILED run: what its failure is to be blamed on.
        """
        with self._lock:
            if self.logger is not None and not self._ended:
                self._ended = True
                if self.owns and self.logger.queue is not None and self._attempt:
                    self.logger.log_tags({self._attempt_key: f"{self._attempt}; {status}{': ' * bool(reason)}{reason}"})
                self.logger.close(status if self.owns else None, reason, timeout_s, blame)

    @property
    def _attempt_key(self) -> str:
        number = 1 if self.logger is None else self.logger.folder.read().attempt
        return f"attempt/{number:02d}"


def open_session(cli: ExperimentCLI, checkpoint: Checkpoint | None, attempt: Attempt, data_key: str) -> Session:
    """Open a new run for `fit`, or one that goes on, or the checkpoint's run for the other verbs.

    Args:
        cli: Parsed and completed from the data.
        checkpoint: What the verb works on; None for `fit`.
        attempt: Of `fit`: the run that goes on.
        data_key: Hashes of the data and their split.

    Raises:
        TrackingError: The store cannot be reached, or somebody works on the run.
        ConfigError: `--run` names a run that exists.
    """
    if cli.settings.trainer.fast_dev_run:
        return Session()
    root = Path(cli.settings.runs_dir)
    if rank_zero_only.rank != 0:  # type: ignore[attr-defined]  # Lightning sets it on the function
        return Session(RunLogger(RunFolder(root / cli.experiment / "unknown yet"), None))
    if attempt.folder is not None and attempt.folder.read().run_id:
        return _go_on(cli, attempt.folder, attempt.after, data_key)
    store = open_store(resolve_uri(cli.settings.tracking), cli.experiment)
    _mark_dead(root, store.client)
    if checkpoint is not None and checkpoint.folder is not None:
        return Session(add_to_run(checkpoint.folder, store), store.uri)
    tags = {"verb": cli.verb, **(cli.settings.tags or {})}
    if cli.settings.parent_run is not None:
        tags[PARENT_TAG] = cli.settings.parent_run
    folder = attempt.folder
    if folder is None:
        folder = create_run_folder(root, cli.experiment, cli.config_hash(), cli.settings.run, data_key)
    else:  # it ended before its MLflow run was made, or waited for a scheduler
        lock = QueueLock(folder.path / "records.lock")
        try:
            folder.take(cli.config_hash(), data_key, attempt.after)
        finally:
            lock.release()
    return Session(begin_run(folder, store, tags), store.uri, owns=True, goes_on=attempt.folder is not None)


def _go_on(cli: ExperimentCLI, folder: RunFolder, after: int, data_key: str) -> Session:
    """Go on with a run that MLflow knows; its store need not answer now."""
    client = LazyClient(address_of_run(folder.path, cli.settings.tracking))
    _mark_dead(Path(cli.settings.runs_dir), client)
    logger = continue_run(folder, client, cli.config_hash(), data_key, after)
    return Session(logger, client.uri, owns=True, goes_on=True)


def _mark_dead(root: Path, client: "MlflowClient | LazyClient") -> None:
    for folder in mark_dead(dead_runs(root), client):
        _LOG.warning("run %s/%s was marked KILLED: its process is gone.", folder.experiment, folder.name)


def _place() -> str:
    """Name the machine, and the job of a scheduler."""
    job = os.environ.get("SLURM_JOB_ID")
    restarts = os.environ.get("SLURM_RESTART_COUNT", "0")
    return socket.gethostname() + (f", Slurm job {job}" + f" (restart {restarts})" * (restarts != "0") if job else "")
