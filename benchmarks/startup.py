"""How long a command takes before it does what it was called for.

- `--help`; goal: under one second;
- imports of the training verbs, by package (`python -X importtime`, each module's own time);
- from the command `fit` on the quickstart experiment to the start and the end of its first training step, from the last
  step to the exit (validation, checkpoints, records, pictures), and the exit alone; no goal, to be watched.

Every figure is a median over fresh processes, in a scratch folder whose data set and cache were made by a run that does
not count. `PYTHONDONTWRITEBYTECODE`, where it is set, and packages without byte code make every import two to three
times as long: `make install` compiles them.

Run: python benchmarks/startup.py [--runs 5] [--config experiments/quickstart.yaml]
"""

import argparse
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from pathlib import Path

from rich.console import Console
from rich.table import Table

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
_IMPORT = re.compile(r"import time:\s+(\d+) \|\s+\d+ \| \s*(\S+)")
_SHOWN = 12


def main() -> int:
    """Measure and print; gives 1 where a goal is missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--config", type=Path, default=ROOT / "experiments/quickstart.yaml")
    options = parser.parse_args()
    config = options.config.resolve()
    os.environ["PYTHONPATH"] = f"{ROOT}{os.pathsep}{HERE}"
    with tempfile.TemporaryDirectory() as scratch:
        os.chdir(scratch)
        measured = {"--help": _median([help_time() for _ in range(options.runs)])}
        packages = [import_times() for _ in range(options.runs)]
        fit_times(config)
        fits = [fit_times(config) for _ in range(options.runs)]
        os.chdir(ROOT)
    for name in fits[0]:
        measured[f"fit: {name}"] = _median([fit[name] for fit in fits])
    console = Console(width=100)
    _print_imports(console, packages)
    table = Table("what", "median, s", "goal", title=f"start-up, {options.runs} runs, {config.stem}")
    for name, seconds in measured.items():
        goal = ("< 1 s: met" if seconds < 1 else "< 1 s: MISSED") if name == "--help" else ""
        table.add_row(name, f"{seconds:.2f}", goal)
    console.print(table)
    return int(measured["--help"] >= 1)


def help_time() -> float:
    """Time the help, from the call to its end."""
    start = time.time()
    subprocess.run([sys.executable, "-m", "lit_medseg", "--help"], check=True, stdout=subprocess.DEVNULL)
    return time.time() - start


def import_times() -> dict[str, float]:
    """Give the seconds that each package's own modules take when the training verbs are imported."""
    command = [sys.executable, "-X", "importtime", "-c", "import lit_medseg.commands.train"]
    printed = subprocess.run(command, check=True, capture_output=True, text=True).stderr
    seconds: dict[str, float] = defaultdict(float)
    for own_us, module in _IMPORT.findall(printed):
        seconds[module.split(".")[0]] += int(own_us) / 1e6
    return seconds


def fit_times(config: Path) -> dict[str, float]:
    """Run one epoch of the experiment; gives the seconds of its parts."""
    out = Path("clock.json").resolve()
    clock = [{"class_path": "step_clock.StepClock", "init_args": {"out": str(out)}}]
    arguments = ["--config", str(config), "--trainer.max_epochs", "1", "--tracking", "sqlite:///mlflow.db"]
    command = [sys.executable, "-m", "lit_medseg", "fit", *arguments, "--trainer.callbacks", json.dumps(clock)]
    start = time.time()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    end = time.time()
    at = json.loads(out.read_text(encoding="utf-8"))
    return {
        "to the first step's start": at["first_start"] - start,
        "to the first step's end": at["first_end"] - start,
        "from the last step to the exit": end - at["last_end"],
        "from the end of fit to the exit": end - at["fit_end"],
    }


def _print_imports(console: Console, runs: list[dict[str, float]]) -> None:
    """Print the packages that take longest."""
    medians = {package: _median([run[package] for run in runs]) for package in runs[0]}
    table = Table("package", "own modules, s", title="imports of fit, validate, test and predict")
    for package, seconds in sorted(medians.items(), key=lambda item: -item[1])[:_SHOWN]:
        table.add_row(package, f"{seconds:.2f}")
    table.add_section()
    table.add_row("all", f"{_median([sum(run.values()) for run in runs]):.2f}")
    console.print(table)


def _median(values: list[float]) -> float:
    return statistics.median(values)


if __name__ == "__main__":
    sys.exit(main())
