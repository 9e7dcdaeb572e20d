"""What a command writes into its run: provenance at the start, tables and pictures on the way, a page at the end."""

import json
import sys
from pathlib import Path
from typing import Any

import yaml
from lightning.pytorch import Callback
from rich.console import Console

from lit_medseg.catalogue.seen_cases import seen_cases
from lit_medseg.catalogue.study_layout import study_layout
from lit_medseg.commands.arguments import OF_ONE_CALL
from lit_medseg.commands.experiment_cli import ExperimentCLI
from lit_medseg.commands.report_predictions import report_predictions
from lit_medseg.commands.session import Session
from lit_medseg.data.datamodule import CaseDataModule
from lit_medseg.inference.prediction_files import PredictionFiles
from lit_medseg.inference.prediction_writer import Predicted, PredictionWriter
from lit_medseg.tasks.task import Task
from lit_medseg.tracking.atomic_write import write_atomically
from lit_medseg.tracking.case_tables import CaseTables
from lit_medseg.tracking.checkpoint_artifact import CheckpointArtifact
from lit_medseg.tracking.checkpoint_card import CheckpointCard
from lit_medseg.tracking.curves import Curves
from lit_medseg.tracking.dataset_input import dataset_input
from lit_medseg.tracking.note import NOTE_TAG, run_note
from lit_medseg.tracking.overlay import Overlay
from lit_medseg.tracking.page import print_page
from lit_medseg.tracking.provenance import provenance, write_diff
from lit_medseg.tracking.run_logger import RunLogger
from lit_medseg.tracking.share_run_folder import ShareRunFolder
from lit_medseg.tracking.system_metrics import SystemMetrics
from lit_medseg.tracking.throughput import Throughput
from lit_medseg.tracking.without_password import without_secret
from lit_medseg.tracking.without_paths import without_paths
from lit_medseg.tracking.wrong_cases import WrongCases


def recording_callbacks(cli: ExperimentCLI, session: Session, data: CaseDataModule) -> list[Callback]:
    """Give the callbacks that record a run; in a `fast_dev_run`, which has no run, only what writes predictions."""
    recording: list[Callback] = [
        ShareRunFolder(),
        Throughput(),
        SystemMetrics(),
        CaseTables(),
        Overlay(every_n_epochs=cli.settings.overlay_every) if data.segments else WrongCases(),
        Curves(),
        CheckpointArtifact(),
    ]
    if cli.verb == "fit":
        recording.append(CheckpointCard(_card(cli, session, data)))
    if cli.verb == "predict":
        recording.append(_prediction_writer(cli, session, data))
    return recording


def record_start(cli: ExperimentCLI, session: Session, data: CaseDataModule) -> None:
    """Record, before the first step, all that is needed to trust and to repeat the run; nothing on other ranks.

    Args:
        cli: Completed from the data.
        session: The run; only one that this command made is described, a `test` of a run adds its scores alone.
        data: Prepared.
    """
    logger = session.logger
    if logger is None or logger.queue is None or not session.owns:
        return
    folder, resolved = logger.folder.path, _resolved(cli)
    if logger.described and not cli.settings.allow_changes:
        logger.log_hyperparams(resolved)  # an earlier attempt has done the rest
        return
    header = f"# Repeats this run: python -m lit_medseg {cli.verb} --config config.yaml\n"
    write_atomically(folder / "config.yaml", header + yaml.safe_dump(resolved, sort_keys=False))
    write_atomically(folder / "fitted.json", json.dumps(data.plain(), indent=1) + "\n")
    data.split.to_json(folder / "split.json")
    data.manifest.shareable().to_json(folder / "manifest.json")
    for name in ("config.yaml", "fitted.json", "split.json", "manifest.json"):
        if cli.verb != "predict" or name != "manifest.json":  # folders of new studies may be called after patients
            logger.log_artifact(folder / name)
    if write_diff(Path.cwd(), folder / "changes.diff"):
        logger.log_artifact(folder / "changes.diff")
    logger.log_hyperparams(resolved)
    summary = data.summary
    logger.log_tags({**provenance(Path.cwd()), "data_hash": summary.data_hash, "split_hash": summary.split_hash})
    logger.queue.put(dataset_input(summary))
    logger.log_tags({NOTE_TAG: run_note(_command(), summary, {})})


def report(cli: ExperimentCLI, session: Session, task: Task, data: CaseDataModule, predicted: Predicted | None) -> None:
    """Sum the command up: in the run's page, and on the terminal; nothing on other ranks."""
    logger = session.logger
    if logger is None or logger.queue is None or not session.store:
        return
    evaluation = task.evaluation
    scores = (
        {} if evaluation is None else {f"{evaluation.stage}/{name}": value for name, value in evaluation.scores.items()}
    )
    if scores:
        command = _command() if session.owns else f"python -m lit_medseg {cli.verb}, added to this run"
        recorded = {**logger.latest(("val/", "test/")), **scores}
        logger.log_tags({NOTE_TAG: run_note(command, data.summary, recorded)})
    print_page(Console(), _shown(logger.folder.path), scores, session.store)
    if predicted is not None:
        folder = _predictions(cli, session)
        _log_predictions(logger, folder)
        report_predictions(Console(), predicted, _shown(folder))
    if cli.verb == "fit" and data.split.test:
        _report_checkpoint(logger.folder.path / "checkpoints")


def _prediction_writer(cli: ExperimentCLI, session: Session, data: CaseDataModule) -> PredictionWriter:
    masks = data.state.truth.masks or {}
    # what stays in the run goes to MLflow too, where no patient's name belongs
    keep_patient = cli.settings.output is not None
    folder, values = _predictions(cli, session), (0, *masks.values())
    files = PredictionFiles(folder, data.source.folder, data.target, values, keep_patient)
    cases = {case_id: entry.case for case_id, entry in data.manifest.by_id.items()}
    return PredictionWriter(files, cases, data.skipped, data.segments)


def _card(cli: ExperimentCLI, session: Session, data: CaseDataModule) -> dict[str, Any]:
    """Describe a checkpoint as plain data."""
    logger = session.logger
    run = {} if logger is None else {"experiment": logger.name, "name": logger.version, "run_id": logger.run_id}
    run["data_key"] = data.summary.key
    return {
        "task": cli.settings.model.class_path,
        "data": data.plain(),
        "class_weights": data.class_weights,
        "studies": study_layout(data.manifest),
        "seen": seen_cases(data.manifest, data.split),
        "config": _resolved(cli),
        "run": run,
    }


def _resolved(cli: ExperimentCLI) -> dict[str, Any]:
    """Give the YAML that repeats the run: whole, under its name, and free of what belongs to one call."""
    resolved = {**cli.resolved(), "experiment": cli.experiment}
    if resolved.get("tracking"):
        resolved["tracking"] = without_secret(resolved["tracking"])
    return {key: value for key, value in resolved.items() if key not in OF_ONE_CALL}


def _predictions(cli: ExperimentCLI, session: Session) -> Path:
    if cli.settings.output is not None:
        return Path(cli.settings.output)
    return Path("predictions") if session.logger is None else session.logger.folder.path / "predictions"


def _log_predictions(logger: RunLogger, folder: Path) -> None:
    """Add the predictions to the run, where they lie in its folder; DICOM names patients, and stays here."""
    files = sorted(folder.rglob("*.*")) if folder.is_relative_to(logger.folder.path) else []
    for file in files:
        if file.is_file() and file.suffix != ".dcm" and "probabilities" not in file.relative_to(folder).parts:
            logger.log_artifact(file, file.parent.relative_to(logger.folder.path).as_posix())


def _report_checkpoint(folder: Path) -> None:
    """Say how to test the best checkpoint, or the last one where no validation has chosen a best."""
    found = [folder / name for name in ("best.ckpt", "last.ckpt") if (folder / name).is_file()]
    if found:
        print(f"test it     python -m lit_medseg test --ckpt_path {_shown(found[0])}")


def _shown(path: Path) -> Path:
    """Write a path as the user may type it."""
    path = path.absolute()
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path


def _command() -> str:
    return without_paths(["python", "-m", "lit_medseg", *sys.argv[1:]], Path.cwd())
