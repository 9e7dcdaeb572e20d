"""The verbs fit, validate, test and predict."""

import atexit
import tempfile
from pathlib import Path
from typing import Any

import yaml
from lightning.pytorch import Callback, Trainer
from lightning.pytorch.utilities import rank_zero_only
from rich.console import Console

from lit_medseg.cluster.follow_ranks import FollowRanks
from lit_medseg.cluster.interruption import Interruption
from lit_medseg.cluster.rank_watch import RankWatch
from lit_medseg.commands.adopt_card import adopt_card
from lit_medseg.commands.build_task import build_task
from lit_medseg.commands.build_trainer import build_trainer
from lit_medseg.commands.check_cases import check_cases
from lit_medseg.commands.check_settings import check_settings
from lit_medseg.commands.count_ranks import count_ranks, find_seat
from lit_medseg.commands.end_early import end_early
from lit_medseg.commands.experiment_cli import ExperimentCLI
from lit_medseg.commands.find_attempt import Attempt, find_attempt, refuse_unusable
from lit_medseg.commands.find_checkpoint import Checkpoint, config_of_checkpoint, find_checkpoint
from lit_medseg.commands.keep_post_processing import post_process_chooser
from lit_medseg.commands.order_ranks import order_ranks
from lit_medseg.commands.quieten import quieten
from lit_medseg.commands.rank_facts import compared_facts
from lit_medseg.commands.record_run import record_start, recording_callbacks, report
from lit_medseg.commands.report_predictions import NOTHING_DONE, predicted_status, report_skipped
from lit_medseg.commands.session import Session, open_session
from lit_medseg.commands.start_attempt import announce, announce_work, for_ranks, resume_checkpoints
from lit_medseg.commands.take_studies import take_studies
from lit_medseg.commands.warn_seen import find_seen, warn_seen
from lit_medseg.commands.watched_ranks import watched_ranks
from lit_medseg.data.datamodule import CaseDataModule
from lit_medseg.data.rank_batches import check_divides
from lit_medseg.errors import CheckpointError
from lit_medseg.inference.prediction_writer import Predicted, PredictionWriter
from lit_medseg.tasks.task import Task

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
        0; 128 and a signal's number, or 75, where the run was stopped early; of `predict` 1 where some cases were
        skipped, 2 where all were.

    Raises:
        MedSegError: The user's input cannot be used; nothing was trained.
    """
    quieten()
    interruption = Interruption()
    with interruption.listen():
        cli = ExperimentCLI(_with_own_config(argv))
        check_settings(cli)
        with watched_ranks(find_seat(cli)) as watch:
            return _verb(cli, argv, interruption, watch)


def _verb(cli: ExperimentCLI, argv: list[str], interruption: Interruption, watch: RankWatch | None) -> int:
    """Run one verb; see `main`."""
    dry = bool(cli.settings.trainer.fast_dev_run)
    if cli.verb == "fit" and not dry:
        refuse_unusable(cli)
    checkpoint = None if cli.verb == "fit" or dry else find_checkpoint(cli)
    take_studies(cli, checkpoint)
    data: CaseDataModule = cli.build("data")
    ranks = count_ranks(cli)
    if cli.verb == "fit":
        check_divides(data.loading.batch_size, ranks)
    if checkpoint is not None:
        data = adopt_card(data, checkpoint.card, cli.verb)
    data.prepare(predicting=cli.verb == "predict")
    report_skipped(Console(stderr=True, quiet=bool(rank_zero_only.rank)), data.skipped)  # type: ignore[attr-defined]
    check_cases(cli.verb, data)
    facts = compared_facts(cli, data, watch) if ranks > 1 else {}
    task = build_task(cli, data, checkpoint)
    attempt = find_attempt(cli, data) if cli.verb == "fit" and not dry else Attempt()
    session = open_session(cli, checkpoint, attempt, data.summary.key)
    trainer: Trainer | None = None
    try:
        callbacks = _callbacks(cli, session, data, interruption, checkpoint)
        trainer = build_trainer(cli, session, task, bool(data.split.val), callbacks)
        found = attempt.checkpoint if checkpoint is None else checkpoint.path
        words = [*argv, *for_ranks(cli.verb, found)]
        start = order_ranks(trainer, session, interruption, words, facts, found, watch)
        announce(session, start)
        announce_work(session, data, trainer)
        record_start(cli, session, data)
        if checkpoint is not None:
            warn_seen(find_seen(cli.verb, data, checkpoint.card), session.logger)
        _run(cli, trainer, task, data, start)
        predicted = _predicted(trainer)
        report(cli, session, task, data, predicted)
    except BaseException as error:
        return end_early(error, session, trainer, interruption, cli.settings.parent_pid)
    status = 0 if predicted is None or not trainer.is_global_zero else predicted_status(predicted)
    session.end("FAILED" if status == NOTHING_DONE else "FINISHED")
    return status


def _callbacks(
    cli: ExperimentCLI,
    session: Session,
    data: CaseDataModule,
    interruption: Interruption,
    checkpoint: Checkpoint | None,
) -> list[Callback]:
    """Make the verb's own callbacks, in the order in which they are called."""
    callbacks = [FollowRanks(), *recording_callbacks(cli, session, data)]
    if cli.verb == "fit" and not cli.settings.trainer.fast_dev_run:
        callbacks.insert(1, resume_checkpoints(cli, data, interruption))
    if checkpoint is not None and cli.settings.choose_post_processing:
        callbacks.append(post_process_chooser(checkpoint, data.target, session.logger))
    return callbacks


def _predicted(trainer: Trainer) -> Predicted | None:
    """Ask the writer of predictions, if there is one, what it has written."""
    callbacks: list[Any] = trainer.callbacks  # type: ignore[attr-defined]
    return next((callback.found for callback in callbacks if isinstance(callback, PredictionWriter)), None)


def _run(cli: ExperimentCLI, trainer: Trainer, task: Task, data: CaseDataModule, start: Path | None) -> None:
    """Call the verb's method of the Trainer."""
    weights = None if start is None else str(start)
    try:
        getattr(trainer, cli.verb)(
            task, datamodule=data, ckpt_path=weights, weights_only=True, **_OPTIONS.get(cli.verb, {})
        )
    except RuntimeError as error:
        if "Error(s) in loading state_dict" not in str(error):
            raise
        first = str(error).splitlines()[1].strip()
        raise CheckpointError(
            f"{weights}: of another network, expected the YAML's, got: {first} Give its own YAML, or none."
        ) from error


def _with_own_config(argv: list[str]) -> list[str]:
    """Put the YAML that a checkpoint carries in front, where the command line has a checkpoint and no YAML."""
    config = config_of_checkpoint(argv)
    if config is None:
        return argv
    with tempfile.NamedTemporaryFile("w", suffix=".yaml", delete=False) as file:
        yaml.safe_dump(config, file, sort_keys=False)
    atexit.register(Path(file.name).unlink, missing_ok=True)
    return [argv[0], "--config", file.name, *argv[1:]]
