"""The run folder of a cross-validation: a new one, or the one that the same command goes on with."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from lit_medseg.commands.crossval_settings import CrossvalSettings
from lit_medseg.commands.list_changes import list_changes, shorten
from lit_medseg.crossval.check_folds import FoldData
from lit_medseg.errors import ConfigError, expected_got
from lit_medseg.tracking.atomic_write import write_atomically
from lit_medseg.tracking.run_folder import RunFolder, check_names, create_run_folder

FILE = "crossval.json"


def open_folder(settings: CrossvalSettings, data_hash: str, folds: Sequence[FoldData]) -> tuple[RunFolder, bool]:
    """Find the folder by its name, or make it.

    Args:
        settings: What the user asks for.
        data_hash: Of all cases.
        folds: All folds.

    Returns:
        The folder, and whether it is new.

    Raises:
        ConfigError: The name is taken by another configuration, other data or another verb, or no folder can have it.
        TrackingError: Its state cannot be read, or it cannot be made.
    """
    whole = settings.hash_with(data_hash)
    name = settings.name or f"cv{settings.plan.folds}-{whole[:8]}"
    longest = max(len(one.fold.name) for one in folds)
    try:
        check_names(settings.experiment, f"{name}-{'x' * longest}")  # the folds' names are longer
    except ConfigError as error:
        raise ConfigError(str(error).replace("--run:", "--name:", 1)) from error
    folder = RunFolder(settings.runs_dir / settings.experiment / name)
    plain = {**settings.computed, "data": {"hash": data_hash}}
    new = not (folder.path / "state.json").is_file()
    if new:
        folder = create_run_folder(settings.runs_dir, settings.experiment, whole, name)
    else:
        _refuse_another(folder, plain, whole)
    runs = [{"fold": one.fold.number, "inner": one.fold.inner, "run": f"{name}-{one.fold.name}"} for one in folds]
    sets = {one.fold.name: one.split.plain() for one in folds}
    content = {"computed": plain, "runs": runs, "splits": sets}
    write_atomically(folder.path / FILE, json.dumps(content, indent=1, default=str) + "\n")
    return folder, new


def _refuse_another(folder: RunFolder, plain: Mapping[str, Any], whole: str) -> None:
    """Refuse a folder that holds something else, the differing keys named."""
    file = folder.path / FILE
    if not file.is_file():
        state = folder.read()
        # a process that was killed at its very start has left its folder, and no more
        if state.status == "SCHEDULED" or (state.config_hash == whole and not state.run_id):
            return
        todo = "Choose another --name"
        raise ConfigError(
            expected_got("--name", "the name is taken by another run", "a new name", repr(folder.name), todo)
        )
    before = json.loads(file.read_text(encoding="utf-8"))["computed"]
    changed = list_changes(before, json.loads(json.dumps(plain, default=str)))
    if changed:
        todo = "Undo that, or choose another --name"
        what = "it is a cross-validation of something else"
        raise ConfigError(expected_got(f"--name {folder.name}", what, "the same configuration", shorten(changed), todo))
