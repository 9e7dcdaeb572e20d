"""Whether a run that goes on is still the same run."""

from pathlib import Path
from typing import Any

import yaml

from lit_medseg.commands.experiment_cli import ExperimentCLI, comparable
from lit_medseg.commands.list_changes import list_changes, shorten
from lit_medseg.data.datamodule import CaseDataModule
from lit_medseg.errors import ConfigError, expected_got
from lit_medseg.tracking.checkpoint_card import read_card
from lit_medseg.tracking.run_folder import RunFolder

_PARTS = ("network", "optimizer", "lr_scheduler", "fine_tuning")
_IN_CHECKPOINT = (*(f"model.init_args.{name}" for name in _PARTS), "learning_rate")


def refuse_changes(cli: ExperimentCLI, data: CaseDataModule, folder: RunFolder | None, checkpoint: Path | None) -> None:
    """Refuse a configuration or data other than the run's, unless the user has asked for them.

    Args:
        cli: Completed from the data.
        data: Prepared.
        folder: The run; None for a checkpoint whose run is finished or not known.
        checkpoint: What the run goes on from; None for its beginning.

    Raises:
        ConfigError: They differ; the keys are named.
    """
    where = str(checkpoint) if folder is None else f"run {folder.name}"
    earlier = _earlier(folder, checkpoint)
    changed = [] if earlier is None else list_changes(comparable(earlier), comparable(cli.resolved()))
    if cli.settings.allow_changes:
        _refuse_unchangeable(where, [] if checkpoint is None else changed)
        return
    if changed:
        todo = "Undo that, start a new run (another --run), or allow it: --allow_changes true"
        raise ConfigError(expected_got(where, "the configuration has changed", "the run's own", shorten(changed), todo))
    known = folder.read().data_key if folder is not None else str(_card(checkpoint).get("run", {}).get("data_key", ""))
    now = data.summary.key
    if known and known != now:
        parts = zip(("cases or their content", "the split"), known.split("-"), now.split("-"), strict=True)
        got = " and ".join(name for name, before, after in parts if before != after)
        todo = "Restore the data, start a new run (another --run), or allow it: --allow_changes true"
        raise ConfigError(expected_got(where, "the data have changed", "the run's own", f"other {got}", todo))


def _refuse_unchangeable(where: str, changed: list[str]) -> None:
    """Refuse changes that the state in a checkpoint would undo silently (a learning rate), or does not fit.

    Raises:
        ConfigError: There are such.
    """
    found = [text for text in changed if text.startswith(_IN_CHECKPOINT)]
    if found:
        what = "what a checkpoint has in it cannot change, allowed or not"
        todo = "Undo that, or start a new run from its weights: model.init_args.fine_tuning.start_from"
        raise ConfigError(
            expected_got(where, what, "network, optimizer and schedule of the run", "; ".join(found), todo)
        )


def _earlier(folder: RunFolder | None, checkpoint: Path | None) -> dict[str, Any] | None:
    """Find the run's configuration: in its folder, else in the checkpoint's card."""
    if folder is not None and (folder.path / "config.yaml").is_file():
        plain = yaml.safe_load((folder.path / "config.yaml").read_text(encoding="utf-8"))
        return plain if isinstance(plain, dict) else None
    return _card(checkpoint).get("config")


def _card(checkpoint: Path | None) -> dict[str, Any]:
    return {} if checkpoint is None else read_card(checkpoint)
