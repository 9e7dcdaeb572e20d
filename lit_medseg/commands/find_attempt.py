"""Which run a `fit` works on, and what it goes on from."""

import logging
from dataclasses import dataclass
from pathlib import Path

from lightning.pytorch.utilities import rank_zero_only

from lit_medseg.cluster.checkpoint_files import find_damage, newest_whole, step_files
from lit_medseg.commands.changed_keys import refuse_changes
from lit_medseg.commands.experiment_cli import ExperimentCLI
from lit_medseg.data.datamodule import CaseDataModule
from lit_medseg.errors import CheckpointError, ConfigError, TrackingError, expected_got
from lit_medseg.tracking.checkpoint_card import read_card
from lit_medseg.tracking.run_folder import RunFolder, all_runs

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class Attempt:
    """One process's work on a run.

    Attributes:
        folder: A run that goes on; None for a new one.
        checkpoint: What it goes on from; None for the beginning.
        after: The last attempt at the run that goes on, as it was when the run was chosen.
    """

    folder: RunFolder | None = None
    checkpoint: Path | None = None
    after: int = 0


def refuse_unusable(cli: ExperimentCLI) -> None:
    """Refuse a run or a checkpoint that nobody can go on with, before the data are read; on the first rank.

    Args:
        cli: Parsed.

    Raises:
        ConfigError: The named run is finished.
        CheckpointError: The named checkpoint cannot be used.
        TrackingError: The state of the named run cannot be read.
    """
    if rank_zero_only.rank != 0:  # type: ignore[attr-defined]  # Lightning sets it on the function
        return
    asked = cli.settings.ckpt_path or cli.settings.resume
    if asked == "auto" and cli.settings.run is not None:
        _named(cli)
    if asked in ("auto", "never"):
        return
    path = Path(asked)
    read_card(path)
    damage = find_damage(path)
    if damage:
        todo = "Name another one, or use --resume auto"
        raise CheckpointError(expected_got(path, "the checkpoint is damaged", "a whole file", damage, todo))


def find_attempt(cli: ExperimentCLI, data: CaseDataModule) -> Attempt:
    """Find the run to go on with, as `--resume` and `--run` say; `refuse_unusable` comes before.

    Args:
        cli: Completed from the data.
        data: Prepared.

    Returns:
        The run and its newest whole checkpoint; on ranks other than the first only a checkpoint that was named.

    Raises:
        ConfigError: The named run is finished, or its configuration or data are others.
        CheckpointError: The named checkpoint cannot be used.
        TrackingError: Somebody works on the named run.
    """
    asked = cli.settings.ckpt_path or cli.settings.resume
    if rank_zero_only.rank != 0:  # type: ignore[attr-defined]  # Lightning sets it on the function
        return Attempt(None, Path(asked) if asked not in ("auto", "never") else None)
    if asked == "never":
        return Attempt()
    if asked != "auto":
        return _from_path(cli, data, Path(asked))
    folder = _newest_unfinished(cli, data) if cli.settings.run is None else _named(cli)
    if folder is None:
        return Attempt()
    state = folder.read()
    folder.refuse_busy(state)  # not before: whoever works on it may end while the data are read
    checkpoint = newest_whole(folder.path / "checkpoints")
    if cli.settings.run is not None:
        refuse_changes(cli, data, folder, checkpoint)
    return Attempt(folder, checkpoint, state.attempt)


def _named(cli: ExperimentCLI) -> RunFolder | None:
    """Find the run of `--run`; None where it is new."""
    folder = RunFolder(Path(cli.settings.runs_dir) / cli.experiment / cli.settings.run)
    if not (folder.path / "state.json").is_file():
        return None
    state = folder.read()
    if state.status == "FINISHED":
        todo = "Choose another name, or leave --run out"
        raise ConfigError(expected_got("--run", "the run is finished", "a new or unfinished run", folder.name, todo))
    return folder


def _newest_unfinished(cli: ExperimentCLI, data: CaseDataModule) -> RunFolder | None:
    """Find the newest unfinished run of this YAML and these data that nobody works on."""
    wanted, found = (cli.config_hash(), data.summary.key), []
    for folder in all_runs(Path(cli.settings.runs_dir)):
        if folder.experiment != cli.experiment:
            continue
        try:
            state = folder.read()
        except TrackingError:
            continue  # a damaged state: the verb that names this run reports it
        if state.status not in ("FINISHED", "SCHEDULED") and (state.config_hash, state.data_key) == wanted:
            found.append((state.started, folder, state))
    free = [(started, folder) for started, folder, state in found if not folder.is_busy(state)]
    return max(free, key=lambda pair: pair[0])[1] if free else None


def _from_path(cli: ExperimentCLI, data: CaseDataModule, path: Path) -> Attempt:
    """Go on from a named checkpoint: within its unfinished run where that stays one history, else in a new run."""
    folder = _unfinished_run_of(path) if _repeats(path, cli.settings.allow_changes) else None
    if folder is not None and cli.settings.run not in (None, folder.name):
        folder = None
    if folder is not None:
        folder.refuse_busy(folder.read())
    after = 0 if folder is None else folder.read().attempt
    refuse_changes(cli, data, folder, path)
    return Attempt(folder, path, after)


def _repeats(checkpoint: Path, changes: bool) -> bool:
    """Whether what comes after a checkpoint is what its run may have recorded already, to the last bit.

    Not so from `best.ckpt`, which lies within a validation, nor with changes from before other checkpoints: what the
    run has recorded since would stay in its history, beside what is computed now.
    """
    newest_first = [path.name for path in step_files(checkpoint.parent)]
    name = checkpoint.resolve().name
    return name in newest_first[:1] or (name in newest_first and not changes)


def _unfinished_run_of(checkpoint: Path) -> RunFolder | None:
    """Find the run that a checkpoint lies in; None where that is finished or no run."""
    folder = RunFolder(checkpoint.absolute().parent.parent)
    there = (folder.path / "state.json").is_file()
    return folder if there and folder.read().status != "FINISHED" else None
