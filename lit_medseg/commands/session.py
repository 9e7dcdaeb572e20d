"""One command's hold on a run: opened on the first rank, ended exactly once and truthfully."""

import logging
import threading
from dataclasses import dataclass, field
from pathlib import Path

from lightning.pytorch.utilities import rank_zero_only

from lit_medseg.commands.experiment_cli import ExperimentCLI
from lit_medseg.commands.find_checkpoint import Checkpoint
from lit_medseg.tracking.attach import add_to_run, begin_run
from lit_medseg.tracking.mark_dead import mark_dead
from lit_medseg.tracking.run_folder import RunFolder, Status, create_run_folder, dead_runs
from lit_medseg.tracking.run_logger import RunLogger
from lit_medseg.tracking.store import Store, open_store, resolve_uri

_LOG = logging.getLogger(__name__)


@dataclass
class Session:
    """A run in the hands of this command.

    Attributes:
        logger: Writes to the run, on other ranks nowhere; None in a `fast_dev_run`.
        store: Where MLflow keeps it; None on other ranks.
        owns: True for a run that this command made: its end is the run's end. False for one that it only adds to.
    """

    logger: RunLogger | None = None
    store: Store | None = None
    owns: bool = False
    _ended: bool = False
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def end(self, status: Status, reason: str = "") -> None:
        """End the run; a second call (of the thread that watches the ranks, say) waits for the first, nothing else."""
        with self._lock:
            if self.logger is not None and not self._ended:
                self._ended = True
                self.logger.close(status if self.owns else None, reason)


def open_session(cli: ExperimentCLI, checkpoint: Checkpoint | None) -> Session:
    """Open a new run for `fit`, or the checkpoint's run for the other verbs.

    Args:
        cli: Parsed and completed from the data.
        checkpoint: What the verb works on; None for `fit`.

    Raises:
        TrackingError: The store cannot be reached.
        ConfigError: `--run` names a run that exists.
    """
    if cli.settings.trainer.fast_dev_run:
        return Session()
    root = Path(cli.settings.runs_dir)
    if rank_zero_only.rank != 0:  # type: ignore[attr-defined]  # Lightning sets it on the function
        return Session(RunLogger(RunFolder(root / cli.experiment / "unknown yet"), None))
    store = open_store(resolve_uri(cli.settings.tracking), cli.experiment)
    for folder in mark_dead(dead_runs(root), store.client):
        _LOG.warning("run %s/%s was marked KILLED: its process is gone.", folder.experiment, folder.name)
    if checkpoint is not None and checkpoint.folder is not None:
        return Session(add_to_run(checkpoint.folder, store), store)
    folder = create_run_folder(root, cli.experiment, cli.config_hash(), cli.settings.run)
    return Session(begin_run(folder, store, {"verb": cli.verb}), store, owns=True)
