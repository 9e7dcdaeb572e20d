"""The winner as an experiment that runs by itself."""

import platform
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from lit_medseg.sweep.nested import changed
from lit_medseg.sweep.place import Place
from lit_medseg.sweep.plan import Plan
from lit_medseg.sweep.report import settings_text
from lit_medseg.sweep.rows import Row, pareto_front, ranked
from lit_medseg.tracking.atomic_write import write_atomically
from lit_medseg.tracking.records import read_records
from lit_medseg.tracking.run_folder import RunFolder

BEST = "best.yaml"
_FRONT = "front-{}.yaml"
_MADE_ON = "made_on/"
_ACCELERATORS = {"cuda": "gpu"}
"""What a trainer calls a device of torch, where the two differ."""


def write_best(plan: Plan, place: Place, rows: Sequence[Row]) -> list[Path]:
    """Write `best.yaml`, and for several objectives `front-<trial>.yaml` for each trial of the front.

    Each is what the trial's child has run, with the device and the number of ranks that it has found.

    Args:
        plan: The sweep.
        place: Its folders.
        rows: All trials.

    Returns:
        The files; none while no trial is complete. Of several objectives, `best.yaml` is the best in the first. Of
        repeats or folds it is the first run of the trial that is best on their mean, and says which value that gave.

    Raises:
        OSError: The trial's own files are gone, or nothing can be written.
    """
    ran = [row for row in rows if row.parts]  # somebody may have added trials to the study by hand
    order = ranked(plan, ran)
    if not order:
        return []
    wanted = {BEST: order[0]}
    if len(plan.objectives) > 1:
        wanted |= {_FRONT.format(f"{row.number:04}"): row for row in pareto_front(plan, ran)}
    folder = place.folder.path
    for name, row in wanted.items():
        run = RunFolder(place.run(row.number).path.parent / str(row.parts[0]["run"]))
        found = _made_on(run)
        started: dict[str, Any] = yaml.safe_load(_experiment(place, row, 0).read_text(encoding="utf-8"))
        # by the file's name alone the winners of all sweeps would lie under one name
        settings = {**_resolved(started, found), "experiment": f"{plan.name}-{Path(name).stem}"}
        text = yaml.safe_dump(settings, sort_keys=False, allow_unicode=True)
        write_atomically(folder / name, _header(plan, place, row, name, settings, found) + text)
    for old in folder.glob(_FRONT.format("*")):
        if old.name not in wanted:  # beaten since
            old.unlink(missing_ok=True)
    return [folder / name for name in wanted]


def _experiment(place: Place, row: Row, part: int) -> Path:
    """Name what a run of a trial was started with."""
    suffix = str(row.parts[part]["run"]).removeprefix(place.run(row.number).name)
    return place.trial(row.number) / f"experiment{suffix}.yaml"


def _made_on(run: RunFolder) -> dict[str, list[str]]:
    """Read on what a run has computed; several values where a later attempt went on elsewhere."""
    found: dict[str, list[str]] = {}
    for record, _ in read_records(run.path / "records.jsonl"):
        if record is not None and record.kind == "tag" and record.key.startswith(_MADE_ON):
            values = found.setdefault(record.key.removeprefix(_MADE_ON), [])
            values += [str(record.value)] if record.value not in values else []
    return found


def _resolved(settings: dict[str, Any], found: dict[str, list[str]]) -> dict[str, Any]:
    """Name the device and the number of ranks, in the place of `auto`."""
    if not {"device", "ranks"} <= {*found}:
        return settings
    device, ranks = found["device"][-1], int(found["ranks"][-1])
    nodes = (settings.get("trainer") or {}).get("num_nodes") or 1
    changes = {"trainer.accelerator": _ACCELERATORS.get(device, device), "trainer.devices": ranks // nodes}
    return changed(settings, changes)


def _header(
    plan: Plan, place: Place, row: Row, name: str, settings: dict[str, Any], found: dict[str, list[str]]
) -> str:
    """Say what the file gives again, and on what."""
    metrics = [objective.metric for objective in plan.objectives]
    takes = ", ".join(f"{objective.take} over the epochs" for objective in plan.objectives)
    first = ", ".join(f"{metric} {row.parts[0].get(metric)!r}" for metric in metrics)
    threads = found.get("threads", [])
    set_threads = f"OMP_NUM_THREADS={threads[0]} " if len(threads) == 1 else ""
    lines = [
        f"{set_threads}python -m lit_medseg fit --config {name}",
        f"Trial {row.number} of the sweep {plan.name}: {settings_text(row.settings)}",
        f"It gave {first} ({takes}) with seed {settings.get('seed_everything')}.",
    ]
    if len(row.parts) > 1:
        means = ", ".join(f"{metric} {value!r}" for metric, value in zip(metrics, row.values, strict=True))
        others = ", ".join(_experiment(place, row, part).name for part in range(1, len(row.parts)))
        lines.append(f"That is the first of the trial's {len(row.parts)} runs, whose mean is {means}.")
        lines.append(f"The others, in trials/{row.number:04}: {others}.")
    on = "; ".join(f"{key} {' then '.join(values)}" for key, values in found.items()) or "an unknown device"
    lines.append(f"Made on {platform.machine()}: {on}.")
    lines.append("With the same kind of CPU, threads and ranks all but times is the same again;")
    lines.append("on a GPU, whose sums have no fixed order, expect differences of up to 0.01 in Dice and AUROC.")
    return "".join(f"# {line}\n" for line in lines)
