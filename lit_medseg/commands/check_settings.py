"""Single values that cannot be meant, found before any data are read."""

import os
from pathlib import Path

from lit_medseg.cluster.read_checkpoint import read_checkpoint
from lit_medseg.commands.experiment_cli import ExperimentCLI
from lit_medseg.errors import ConfigError, expected_got
from lit_medseg.tracking.run_folder import check_names


def check_settings(cli: ExperimentCLI) -> None:
    """Refuse values out of range, and names that no folder can have.

    Args:
        cli: Parsed.

    Raises:
        ConfigError: The first such value.
        CheckpointError: The start weights are not there, or no checkpoint.
    """
    settings = cli.settings
    decay = settings.ema_decay
    if decay is not None and not 0 <= decay < 1:
        todo = "Give a share such as 0.999, or leave it out"
        raise ConfigError(expected_got("ema_decay", "out of range", "0 <= x < 1", decay, todo))
    if settings.checkpoint_minutes < 0:
        got = settings.checkpoint_minutes
        raise ConfigError(expected_got("checkpoint_minutes", "out of range", "0 or more", got, "Raise it"))
    for name in ("early_stopping", "overlay_every", "keep_checkpoints"):
        value = settings[name]
        if value is not None and value < 1:
            raise ConfigError(expected_got(name, "out of range", "1 or more", value, "Raise it"))
    if cli.verb == "fit" and 0 in (settings.trainer.max_epochs, settings.trainer.max_steps):
        raise ConfigError(expected_got("trainer", "nothing to train", "max_epochs above 0", 0, "Raise it"))
    for name, verb in (("input", "predict"), ("probabilities", "predict"), ("choose_post_processing", "validate")):
        if settings[name] and cli.verb != verb:
            todo = f"Leave it out, or call {verb}"
            raise ConfigError(expected_got(f"--{name}", f"it is for {verb}", f"the verb {verb}", cli.verb, todo))
    start = settings.get("model.init_args.fine_tuning.start_from")
    _check_files(start if cli.verb == "fit" else None, settings.output)
    if not settings.trainer.fast_dev_run:
        check_names(cli.experiment, settings.run)


def _check_files(start_from: str | None, output: str | None) -> None:
    """Refuse start weights that are not there, and a folder for predictions that cannot be written."""
    if start_from is not None:
        read_checkpoint(Path(start_from))
    if output is not None:
        _check_output(Path(output))


def _check_output(folder: Path) -> None:
    """Refuse a folder that cannot be made or written to."""
    there = next(path for path in (folder.absolute(), *folder.absolute().parents) if path.exists())
    if not there.is_dir() or not os.access(there, os.W_OK):
        got = f"{there.name}, {'which is read-only' if there.is_dir() else 'which is a file'}"
        raise ConfigError(expected_got("output", "unusable", "a folder that you may write to", got, "Name another"))
