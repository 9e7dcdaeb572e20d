"""How an attempt begins: what keeps it, where it goes on from, and that every rank knows."""

import sys
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch import Trainer
from lightning.pytorch.utilities import rank_zero_only

from lit_medseg.cluster.interruption import Interruption
from lit_medseg.cluster.resume_checkpoints import Changes, ResumeCheckpoints, made_on
from lit_medseg.cluster.stop_request import StopRequest, forget_stop
from lit_medseg.commands.experiment_cli import ExperimentCLI, comparable
from lit_medseg.commands.list_changes import list_changes
from lit_medseg.commands.session import Session
from lit_medseg.data.datamodule import CaseDataModule
from lit_medseg.tracking.checkpoint_card import KEY
from lit_medseg.tracking.shown_path import shown_path
from lit_medseg.tracking.store import shown_uri

_BATCHES = ("data.", "trainer.limit_train_batches", "trainer.overfit_batches", "trainer.accumulate_grad_batches")
"""Settings that decide which samples come in which batch."""


def resume_checkpoints(cli: ExperimentCLI, data: CaseDataModule, interruption: Interruption) -> ResumeCheckpoints:
    """Give the callback that keeps the run, and ends it when it is asked to."""

    def changes(checkpoint: dict[str, Any]) -> Changes:
        card = checkpoint[KEY]
        keys = list_changes(comparable(card["config"]), comparable(cli.resolved()))
        other_data = card["run"].get("data_key", data.summary.key) != data.summary.key
        return Changes(other_data or any(key.startswith(_BATCHES) for key in keys), bool(keys) or other_data)

    # the other ranks of this machine are children of the first one, which ends them
    parent = cli.settings.parent_pid if rank_zero_only.rank == 0 else None  # type: ignore[attr-defined]
    stop = StopRequest(interruption, parent)
    return ResumeCheckpoints(stop, cli.settings.checkpoint_minutes, cli.settings.keep_checkpoints, changes)


def for_ranks(verb: str, start: Path | None) -> list[str]:
    """Give the arguments that tell ranks which we start what was found: they would perhaps find something else.

    Args:
        verb: Of the command.
        start: The checkpoint; None for none.
    """
    if verb == "fit":
        return ["--resume", "never" if start is None else str(start)]
    return [] if start is None else ["--ckpt_path", str(start)]


def announce(session: Session, start: Path | None) -> None:
    """Say, and record, where a run begins or goes on; nothing on other ranks.

    Args:
        session: The run.
        start: The checkpoint that it goes on from; None for the beginning.
    """
    logger = session.logger
    if logger is None or logger.queue is None or not session.owns:
        return
    forget_stop(logger.folder.path)
    place = "from the beginning" if start is None else f"from {start.stem}"
    session.begin_attempt(place)
    name = f"run {logger.name}/{logger.version}"
    if session.goes_on:
        number = logger.folder.read().attempt
        text = f"{name} goes on {place} (attempt {number}; --resume never: a new run)."
    else:
        text = f"{name} begins" + ("." if start is None else f" {place}.")
    store = f"MLflow run {logger.run_id} in {shown_uri(session.store)}"
    print(f"{text}\n    {shown_path(logger.folder.path)}; {store}", file=sys.stderr, flush=True)


def announce_work(session: Session, data: CaseDataModule, trainer: Trainer) -> None:
    """Say how much is trained on, and where, which the run keeps; nothing on other ranks.

    Args:
        session: The run.
        data: Prepared.
        trainer: Of the command.
    """
    if session.logger is None or session.logger.queue is None or not session.owns:
        return
    cases = ", ".join(f"{len(getattr(data.split, part))} {part}" for part in ("train", "val", "test"))
    device = trainer.strategy.root_device
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else device.type
    ranks = f"{trainer.world_size} ranks, each on {name}" if trainer.world_size > 1 else f"one process on {name}"
    batch = f"batch size {data.loading.batch_size}, precision {trainer.precision}"
    print(f"    cases: {cases}; {ranks}; {batch}", file=sys.stderr, flush=True)
    session.logger.log_tags({f"made_on/{key}": str(value) for key, value in made_on(trainer).items()})
