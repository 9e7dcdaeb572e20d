"""Which checkpoint `validate`, `test` and `predict` work on."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lit_medseg.commands.experiment_cli import ExperimentCLI
from lit_medseg.commands.nearest_run import nearest_run
from lit_medseg.errors import CheckpointError, ConfigError
from lit_medseg.tracking.checkpoint_card import read_card
from lit_medseg.tracking.run_folder import RunFolder, all_runs

BEST = "best.ckpt"


@dataclass(frozen=True)
class Checkpoint:
    """A checkpoint and where it comes from.

    Attributes:
        path: The file.
        card: What it says about itself.
        folder: The run folder that it lies in; None for a file that was moved out of one.
    """

    path: Path
    card: dict[str, Any]
    folder: RunFolder | None


def open_checkpoint(path: Path) -> Checkpoint:
    """Read a checkpoint's card and see whether it lies in a run folder.

    Raises:
        CheckpointError: No such file, or no checkpoint of lit_medseg.
    """
    folder = path.absolute().parent.parent
    return Checkpoint(path, read_card(path), RunFolder(folder) if (folder / "state.json").is_file() else None)


def find_checkpoint(cli: ExperimentCLI) -> Checkpoint:
    """Find the checkpoint: `--ckpt_path`, else the best one of `--run`, else of the newest finished run of this YAML.

    Raises:
        CheckpointError: There is none, or it is of another task than the YAML's.
    """
    given = cli.settings.ckpt_path
    checkpoint = open_checkpoint(Path(given) if given else _best_of_newest(cli))
    task = cli.settings.model.class_path
    if checkpoint.card["task"] != task:
        raise CheckpointError(
            f"{checkpoint.path}: of another task, expected {task}, got {checkpoint.card['task']}. "
            "Give its own YAML, or none."
        )
    return checkpoint


def config_of_checkpoint(argv: list[str]) -> dict[str, Any] | None:
    """Give the YAML that a checkpoint carries, for a command line that names the checkpoint and no YAML.

    Args:
        argv: The verb and its arguments.
    """
    pairs = [part for argument in argv for part in argument.split("=", 1)]
    if "--ckpt_path" not in pairs or pairs[0] == "fit" or {"--config", "-c", "--help", "-h"} & set(pairs):
        return None
    place = pairs.index("--ckpt_path") + 1
    if place == len(pairs):
        raise ConfigError("--ckpt_path: no value, expected the path of a checkpoint, got nothing. Give one.")
    config: dict[str, Any] = read_card(Path(pairs[place]))["config"]
    return config


def _best_of_newest(cli: ExperimentCLI) -> Path:
    """Find the best checkpoint of the run that the command line means."""
    root, experiment = Path(cli.settings.runs_dir), cli.experiment
    known = [run for run in all_runs(root) if run.experiment == experiment]
    if cli.settings.run is not None:
        runs = [run for run in known if run.name == cli.settings.run]
        what = f"run {cli.settings.run!r} of experiment {experiment!r}"
    else:
        wanted = cli.config_hash()
        runs = [run for run in known if run.read().config_hash == wanted and run.read().status == "FINISHED"]
        what = f"finished run of this YAML in experiment {experiment!r}"
    found = [run for run in runs if (run.path / "checkpoints" / BEST).is_file()]
    if not found:
        near = "" if cli.settings.run is not None else nearest_run(cli, known)
        raise CheckpointError(
            f"{cli.verb}: no checkpoint, expected a {what} below {root}, got none. {near}"
            f"Run `python -m lit_medseg fit` with the same arguments first, or give --ckpt_path."
        )
    newest = max(found, key=lambda run: run.read().started)
    return newest.path / "checkpoints" / BEST
