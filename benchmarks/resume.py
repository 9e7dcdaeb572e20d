"""What it costs that a run can be interrupted at any time, and that its tracking server may vanish.

Real `fit` commands on the CPU, one thread a process, on phantoms made on the spot:

- `checkpoints`: blocks of steps with one checkpoint each, in turns with blocks without, in one run; the median
  difference is the cost of a checkpoint, its share that of a checkpoint every ten minutes (goal: under 1%). `standing
  still + writing` is the most it could be, as if training stood still until the checkpoint is written;
- `tracking`: one run against a real `mlflow server` that is up, slow (1 s per answer), hanging and down: processor time
  of the logger's calls and the recording callbacks, as a share of the training thread's (goal: under 1%), and that of
  the threads beside it. Processor time, since other work on the machine does not touch it; `benchmarks/tracking.py`
  has the wall clock;
- `agreement`: the question at each step whether somebody wants the run's end, on one rank and between two;
- `stops`: from SIGTERM to the exit of a run with steps of one second (goal: under 30 s), with its checkpoint of 5 M
  parameters, AdamW and a weight average; from the command to the first step.

Run: python benchmarks/resume.py [--parts checkpoints tracking agreement stops] [--quick]

The machine should do nothing else; ten to fifteen minutes on two cores. `--quick` (about two minutes) is a trial, no
result. Ends with status 1 where a goal is missed.
"""

import argparse
import os
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from measure_agreement import measure_agreement  # noqa: E402 (after the path)
from measure_checkpoints import measure_checkpoints  # noqa: E402
from measure_stops import measure_stops  # noqa: E402
from measure_tracking import measure_tracking  # noqa: E402
from resume_row import Row  # noqa: E402
from rich.console import Console  # noqa: E402
from rich.table import Table  # noqa: E402

_PARTS: dict[str, Callable[[bool], list[Row]]] = {
    "checkpoints": measure_checkpoints,
    "tracking": measure_tracking,
    "agreement": measure_agreement,
    "stops": measure_stops,
}


def main() -> int:
    """Measure and print; gives 1 where a goal is missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--parts", nargs="+", choices=list(_PARTS), default=list(_PARTS))
    parser.add_argument("--quick", action="store_true", help="a trial: fewer ranks and repetitions")
    options = parser.parse_args()
    os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")
    rows: dict[str, list[Row]] = {}
    with tempfile.TemporaryDirectory() as scratch:
        os.chdir(scratch)
        for part in options.parts:
            print(f"part {part} ...", file=sys.stderr, flush=True)
            rows[part] = _PARTS[part](options.quick)
        os.chdir(ROOT)
    for part, found in rows.items():
        _print(part, found)
    return int(any(row.met is False for found in rows.values() for row in found))


def _print(part: str, rows: list[Row]) -> None:
    table = Table("where", "what", "figure", "goal", title=part)
    words = {None: "", True: ": met", False: ": MISSED"}
    for number, row in enumerate(rows):
        same = number > 0 and rows[number - 1].where == row.where
        table.add_row("" if same else row.where, row.what, row.figure, row.goal + words[row.met])
    Console(width=150).print(table)


if __name__ == "__main__":
    sys.exit(main())
