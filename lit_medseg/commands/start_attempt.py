"""How an attempt begins: what keeps it, where it goes on from, and that every rank knows."""

import sys
from pathlib import Path
from typing import Any

from lightning.pytorch.utilities import rank_zero_only

from lit_medseg.cluster.interruption import Interruption
from lit_medseg.cluster.resume_checkpoints import Changes, ResumeCheckpoints
from lit_medseg.cluster.stop_request import StopRequest, forget_stop
from lit_medseg.commands.changed_keys import changed_keys
from lit_medseg.commands.experiment_cli import ExperimentCLI, comparable
from lit_medseg.commands.session import Session
from lit_medseg.data.datamodule import CaseDataModule
from lit_medseg.tracking.checkpoint_card import KEY

_BATCHES = ("data.", "trainer.limit_train_batches", "trainer.overfit_batches", "trainer.accumulate_grad_batches")
"""Settings that decide which samples come in which batch."""


def resume_checkpoints(cli: ExperimentCLI, data: CaseDataModule, interruption: Interruption) -> ResumeCheckpoints:
    """Give the callback that keeps the run, and ends it when it is asked to."""

    def changes(checkpoint: dict[str, Any]) -> Changes:
        card = checkpoint[KEY]
        keys = changed_keys(comparable(card["config"]), comparable(cli.resolved()))
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
    """Say, and record, where a run goes on; nothing on other ranks."""
    logger = session.logger
    if logger is None or logger.queue is None or not session.owns:
        return
    forget_stop(logger.folder.path)
    place = "from the beginning" if start is None else f"from {start.stem}"
    session.begin_attempt(place)
    if start is not None and not session.goes_on:
        print(f"run {logger.name}/{logger.version} begins {place}.", file=sys.stderr)
    if session.goes_on:
        number = logger.folder.read().attempt
        text = f"run {logger.name}/{logger.version} goes on {place} (attempt {number}; --resume never: a new run)."
        print(text, file=sys.stderr)
