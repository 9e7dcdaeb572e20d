"""The verbs fit, validate, test and predict."""

import atexit
import logging
import signal
import sys
import tempfile
import warnings
from pathlib import Path
from typing import Any

import yaml
from lightning.pytorch import Trainer
from lightning.pytorch.utilities import rank_zero_only
from rich.console import Console

from lit_medseg.cluster.exact_ddp import ExactDDP
from lit_medseg.cluster.interruption import Interruption
from lit_medseg.cluster.rank_launcher import RankLauncher, RankOrders
from lit_medseg.cluster.start_rank import rank_command
from lit_medseg.commands.build_task import build_task
from lit_medseg.commands.build_trainer import build_trainer
from lit_medseg.commands.check_cases import check_cases
from lit_medseg.commands.check_settings import check_settings
from lit_medseg.commands.count_ranks import count_ranks
from lit_medseg.commands.experiment_cli import ExperimentCLI
from lit_medseg.commands.find_checkpoint import Checkpoint, config_of_checkpoint, find_checkpoint
from lit_medseg.commands.keep_post_processing import post_process_chooser
from lit_medseg.commands.record_run import record_start, recording_callbacks, report
from lit_medseg.commands.report_predictions import NOTHING_DONE, predicted_status, report_skipped
from lit_medseg.commands.session import Session, open_session
from lit_medseg.commands.take_studies import take_studies
from lit_medseg.data.datamodule import CaseDataModule
from lit_medseg.data.rank_batches import check_divides
from lit_medseg.errors import CheckpointError
from lit_medseg.inference.prediction_writer import Predicted, PredictionWriter
from lit_medseg.tasks.task import Task

_INTERRUPTED = "interrupted (Ctrl-C or SIGTERM)"
_OPTIONS: dict[str, dict[str, Any]] = {
    "validate": {"verbose": False},
    "test": {"verbose": False},
    "predict": {"return_predictions": False},
}
"""Our own page and files take the place of what Lightning prints and returns."""


def main(argv: list[str]) -> int:
    """Run one verb.

    Args:
        argv: The verb and its arguments.

    Returns:
        0, or 130 where the run was interrupted; of `predict` 1 where some cases were skipped, 2 where all were.

    Raises:
        MedSegError: The user's input cannot be used; nothing was trained.
    """
    _quieten()
    interruption = Interruption()
    with interruption.listen():
        return _verb(argv, interruption)


def _verb(argv: list[str], interruption: Interruption) -> int:
    """Run one verb; see `main`."""
    cli = ExperimentCLI(_with_own_config(argv))
    check_settings(cli)
    dry = bool(cli.settings.trainer.fast_dev_run)
    checkpoint = None if cli.verb == "fit" or dry else find_checkpoint(cli)
    take_studies(cli, checkpoint)
    data: CaseDataModule = cli.build("data")
    ranks = count_ranks(cli)
    if cli.verb == "fit":
        check_divides(data.loading.batch_size, ranks)
    if checkpoint is not None:
        data.adopt(checkpoint.card["data"])
    data.prepare(predicting=cli.verb == "predict")
    report_skipped(Console(stderr=True, quiet=bool(rank_zero_only.rank)), data.skipped)  # type: ignore[attr-defined]
    check_cases(cli.verb, data)
    task = build_task(cli, data, checkpoint)
    session = open_session(cli, checkpoint)
    trainer: Trainer | None = None
    try:
        callbacks = recording_callbacks(cli, session, data)
        if checkpoint is not None and cli.settings.choose_post_processing:
            callbacks.append(post_process_chooser(checkpoint, data.target, session.logger))
        trainer = build_trainer(cli, session, task, bool(data.split.val), callbacks)
        _order_ranks(trainer, session, _for_ranks(argv, checkpoint), interruption)
        record_start(cli, session, data)
        _run(cli, trainer, task, data, checkpoint)
        predicted = _predicted(trainer)
        report(cli, session, task, data, predicted)
    except BaseException as error:
        return _ended_early(error, session, trainer, interruption)
    status = 0 if predicted is None or not trainer.is_global_zero else predicted_status(predicted)
    session.end("FAILED" if status == NOTHING_DONE else "FINISHED")
    return status


def _predicted(trainer: Trainer) -> Predicted | None:
    """Ask the writer of predictions, if there is one, what it has written."""
    callbacks: list[Any] = trainer.callbacks  # type: ignore[attr-defined]
    return next((callback.found for callback in callbacks if isinstance(callback, PredictionWriter)), None)


def _run(cli: ExperimentCLI, trainer: Trainer, task: Task, data: CaseDataModule, checkpoint: Checkpoint | None) -> None:
    """Call the verb's method of the Trainer."""
    weights = cli.settings.ckpt_path if checkpoint is None else str(checkpoint.path)
    try:
        getattr(trainer, cli.verb)(task, datamodule=data, ckpt_path=weights, **_OPTIONS.get(cli.verb, {}))
    except RuntimeError as error:
        if "Error(s) in loading state_dict" not in str(error):
            raise
        first = str(error).splitlines()[1].strip()
        raise CheckpointError(
            f"{weights}: of another network, expected the YAML's, got: {first} Give its own YAML, or none."
        ) from error


def _order_ranks(trainer: Trainer, session: Session, argv: list[str], interruption: Interruption) -> None:
    """Tell the strategy how another rank is started, and what to do when one fails."""

    def failed(text: str) -> None:
        if interruption.happened:
            session.end("KILLED", _INTERRUPTED)
        else:
            session.end("FAILED", text)

    if isinstance(trainer.strategy, ExactDDP):
        command = rank_command("lit_medseg", argv)
        trainer.strategy.orders = RankOrders(command, failed, lambda: interruption.seconds)


def _for_ranks(argv: list[str], checkpoint: Checkpoint | None) -> list[str]:
    """Name the checkpoint that was found: another run may be the newest when the other ranks would look."""
    return argv if checkpoint is None else [*argv, "--ckpt_path", str(checkpoint.path)]


def _ended_early(error: BaseException, session: Session, trainer: Trainer | None, interruption: Interruption) -> int:
    """Mark the run as what it is, end the other ranks, and pass the error on.

    Returns:
        130 for an interruption, else the exit status of the rank that failed.
    """
    interrupted = interruption.happened or isinstance(error, KeyboardInterrupt | SystemExit)
    launcher = None if trainer is None else trainer.strategy.launcher
    cause, status = "", 0
    if isinstance(launcher, RankLauncher):
        # A broken connection is an effect, felt here a little before the cause can be seen.
        felt = isinstance(error, RuntimeError) and not interrupted
        cause, status = launcher.failure(wait_s=2.0 if felt else 0.0)
        launcher.kill(signal.SIGKILL)
    if interrupted:
        session.end("KILLED", _INTERRUPTED)
        marked = ": the run is marked KILLED; its last checkpoint is kept" if session.owns else ""
        print(f"interrupted{marked}.", file=sys.stderr)
        return 130
    if cause:
        session.end("FAILED", cause)
        print(f"error: {cause}.", file=sys.stderr)
        return max(1, status)
    session.end("FAILED", f"{type(error).__name__}: {str(error)[:1000]}")
    raise error


def _with_own_config(argv: list[str]) -> list[str]:
    """Put the YAML that a checkpoint carries in front, where the command line has a checkpoint and no YAML."""
    config = config_of_checkpoint(argv)
    if config is None:
        return argv
    with tempfile.NamedTemporaryFile("w", suffix=".yaml", delete=False) as file:
        yaml.safe_dump(config, file, sort_keys=False)
    atexit.register(Path(file.name).unlink, missing_ok=True)
    return [argv[0], "--config", file.name, *argv[1:]]


def _quieten() -> None:
    """Leave out what libraries say that is no news to a user of ours."""
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s: %(message)s")
    for name in (
        "lightning.pytorch.utilities.rank_zero",
        "lightning.fabric.utilities.distributed",
        "lightning.fabric.utilities.seed",
        "lightning.pytorch.accelerators.cuda",
    ):
        logging.getLogger(name).setLevel(logging.WARNING)
    for pattern in (
        r"It is recommended to use `self\.log\(.*sync_dist=True",  # every rank holds all rows: the values are equal
        r"The '.*_dataloader' does not have many workers",  # the number is a decision, see Loading
        r".*LightningCLI's args parameter is intended to run from within Python",
        r"Total length of `list` across ranks is zero",  # a split without validation cases
        r"The number of training batches .* is smaller than the logging interval",
        r"Be aware that when using `ckpt_path`",  # test and predict need no averaging and no checkpoints
        r"`isinstance\(treespec, LeafSpec\)` is deprecated",
        r"`torch.jit.interface` is deprecated",  # timm, when it is imported
        r"``instantiate_classes`` was deprecated",
        r"Found .* module\(s\) in eval mode at the start of training",  # frozen parts
    ):
        warnings.filterwarnings("ignore", message=pattern)
