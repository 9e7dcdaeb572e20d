"""The winner as an experiment that runs by itself."""

import os
import platform
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from lit_medseg.sweep.parts import make_parts
from lit_medseg.sweep.place import Place
from lit_medseg.sweep.plan import Plan
from lit_medseg.sweep.report import settings_text
from lit_medseg.sweep.rows import Row, pareto_front, ranked

BEST = "best.yaml"


def write_best(plan: Plan, bases: list[dict[str, Any]], place: Place, rows: Sequence[Row], devices: int) -> list[Path]:
    """Write `best.yaml`, and for several objectives `front-<trial>.yaml` for each trial of the front.

    Args:
        plan: The sweep.
        bases: Its experiments.
        place: Its folders.
        rows: All trials.
        devices: GPUs of a trial; 0 for what the experiment says.

    Returns:
        The files; none while no trial is complete. Of several objectives, `best.yaml` is the best in the first. Of
        repeats or folds it is the first run of the trial that is best on their mean.
    """
    order = ranked(plan, rows)
    if not order:
        return []
    wanted = {BEST: order[0]}
    if len(plan.objectives) > 1:
        wanted |= {f"front-{row.number:04}.yaml": row for row in pareto_front(plan, rows)}
    folder = place.folder.path
    for name, row in wanted.items():
        part = make_parts(plan, bases, row.settings, devices)[0]
        part.write(folder / name, _header(plan, row, name, place, part.settings))
    return [folder / name for name in wanted]


def _header(plan: Plan, row: Row, name: str, place: Place, settings: dict[str, Any]) -> str:
    """Say what the file gives again, and on what."""
    metrics = [objective.metric for objective in plan.objectives]
    values = ", ".join(f"{metric} {value!r}" for metric, value in zip(metrics, row.values, strict=True))
    threads = os.environ.get("OMP_NUM_THREADS") or _threads(place, row.number) or "as the machine gives"
    trainer = settings.get("trainer") or {}
    on = f"{trainer.get('accelerator', 'auto')}, {trainer.get('devices', 'auto')} devices, {threads} threads"
    set_threads = f"OMP_NUM_THREADS={threads} " if str(threads).isdecimal() else ""
    lines = [
        f"{set_threads}python -m lit_medseg fit --config {name}",
        f"Trial {row.number} of the sweep {plan.name}: {settings_text(row.settings)}",
        f"It gave {values} ({_takes(plan)}) with seed {settings['seed_everything']}.",
    ]
    if len(row.parts) > 1:
        each = "; ".join(", ".join(f"{key} {value}" for key, value in part.items()) for part in row.parts)
        lines.append(f"That is the mean of {len(row.parts)} runs, of which this is the first: {each}")
    lines.append(f"Made on {platform.machine()}: {on}. With the same kind of CPU, threads and ranks it gives the same;")
    lines.append("on a GPU, whose sums have no fixed order, expect differences of up to 0.01 in Dice and AUROC.")
    return "".join(f"# {line}\n" for line in lines)


def _takes(plan: Plan) -> str:
    return ", ".join(f"{objective.take} over the epochs" for objective in plan.objectives)


def _threads(place: Place, number: int) -> str:
    """Read how many threads a trial had, as its worker has noted it."""
    try:
        return (place.trial(number) / "threads").read_text(encoding="utf-8").strip()
    except OSError:
        return ""
