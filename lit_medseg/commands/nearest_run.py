"""What `validate`, `test` and `predict` could have meant where no finished run has their configuration."""

from collections.abc import Sequence
from typing import Any

import yaml

from lit_medseg.commands.experiment_cli import ExperimentCLI
from lit_medseg.commands.list_changes import list_changes, shorten
from lit_medseg.tracking.run_folder import RunFolder


def nearest_run(cli: ExperimentCLI, runs: Sequence[RunFolder]) -> str:
    """Name an unfinished run of this configuration, else the finished one that differs least, and what to type.

    Args:
        cli: Parsed.
        runs: Those of the experiment.

    Returns:
        One or two sentences; empty where there is no such run.
    """
    wanted, states = cli.config_hash(), {run: run.read() for run in runs}
    same = [run for run in runs if states[run].config_hash == wanted and states[run].status != "SCHEDULED"]
    if same:
        newest = max(same, key=lambda run: states[run].started)
        return f"Its run {newest.name} is {states[newest].status}: the same `fit` goes on with it. "
    finished = [run for run in runs if states[run].status == "FINISHED" and (run.path / "config.yaml").is_file()]
    if not finished:
        return ""
    now = cli.computed(cli.resolved())
    found = {run: list_changes(cli.computed(_config(run)), now) for run in finished}
    nearest = min(finished, key=lambda run: (len(found[run]), -states[run].started))
    return f"The nearest one is {nearest.name}: {shorten(found[nearest])}. To use it add --run {nearest.name}. "


def _config(run: RunFolder) -> dict[str, Any]:
    plain = yaml.safe_load((run.path / "config.yaml").read_text(encoding="utf-8"))
    return plain if isinstance(plain, dict) else {}
