"""What a sweep costs beside the training of its trials.

- start-up: from the command `sweep` to its first trial (space checked by a child, study, MLflow run); no goal;
- overhead of a trial: time of a trial within a sweep less the time of the same `fit` alone; goal: under 3 s;
- the study alone: trials of a formula on one journal file, drawn, reported and told by several processes at once: none
  lost, doubled or failed, and how many a second;
- with `--pruning`: the small nuclei sweep with and without its pruner: epochs trained, best value, and the best setting
  once more with other seeds; goal: at most half of the epochs for the same best value within the spread of the seeds.
  Takes half an hour on two cores, and needs LIT_MEDSEG_DATA.

Run: python benchmarks/sweep.py [--trials 5] [--study-trials 1000] [--workers 8] [--pruning [--at-once 2] [--seeds 3]]
"""

import argparse
import csv
import multiprocessing
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from itertools import pairwise
from pathlib import Path
from typing import Any

import yaml
from rich.console import Console
from rich.table import Table

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from lit_medseg.sweep.ask import next_trial  # noqa: E402
from lit_medseg.sweep.claim import claims  # noqa: E402
from lit_medseg.sweep.place import Place  # noqa: E402
from lit_medseg.sweep.plan import Plan  # noqa: E402
from lit_medseg.sweep.read_plan import plan_of  # noqa: E402
from lit_medseg.sweep.study import open_storage, open_study, quieten  # noqa: E402
from lit_medseg.sweep.tell import Outcome, report, tell  # noqa: E402

GOAL_S = 3.0
GOAL_SHARE = 0.5
LR = "model.init_args.optimizer.init_args.lr"
FORMULA = {
    "experiment": "none.yaml",
    "space": {"x": {"low": -5.0, "high": 5.0}, "y": {"low": -5.0, "high": 5.0}, "kind": {"values": ["a", "b"]}},
    "objective": {"metric": "value", "direction": "min"},
    "sampler": "optuna.samplers.RandomSampler",
}


def main() -> int:
    """Measure and print; gives 1 where a goal is missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=5)
    parser.add_argument("--study-trials", type=int, default=1000)
    parser.add_argument("--workers", type=int, default=8)
    parser.add_argument("--pruning", action="store_true")
    parser.add_argument("--at-once", type=int, default=2, help="trials at once in the sweeps with and without pruner")
    parser.add_argument("--seeds", type=int, default=3, help="other seeds for the best setting; 2 or more")
    options = parser.parse_args()
    os.environ["PYTHONPATH"] = str(ROOT)
    table = Table("what", "measured", "goal", title="sweep")
    missed = False
    with tempfile.TemporaryDirectory() as scratch:
        os.chdir(scratch)
        start_s, overhead_s = trial_times(options.trials)
        table.add_row("start-up of a sweep", f"{start_s:.1f} s", "")
        missed |= overhead_s >= GOAL_S
        word = "MISSED" if overhead_s >= GOAL_S else "met"
        table.add_row("a trial, beyond `fit` alone", f"{overhead_s:.2f} s", f"< {GOAL_S:g} s: {word}")
        seconds, faults = study_alone(Path(scratch) / "study", options.study_trials, options.workers)
        missed |= bool(faults)
        name = f"{options.study_trials} trials on a journal, {options.workers} workers"
        table.add_row(name, f"{options.study_trials / seconds:.1f} trials/s", faults or "none lost or doubled: met")
        if options.pruning:
            missed |= pruning(table, options.at_once, options.seeds)
        os.chdir(ROOT)
    Console(width=100).print(table)
    return int(missed)


def trial_times(trials: int) -> tuple[float, float]:
    """Time a sweep of phantoms, and the same `fit` by itself, in turns.

    Returns:
        Start-up of the sweep and overhead of a trial, seconds.
    """
    base = yaml.safe_load((ROOT / "experiments/quickstart.yaml").read_text())
    base.setdefault("trainer", {}).update({"max_epochs": 1, "enable_progress_bar": False})
    Path("base.yaml").write_text(yaml.safe_dump(base, sort_keys=False))
    settings = {
        "experiment": "base.yaml",
        "space": {LR: {"low": 1.0e-3, "high": 1.1e-3}},
        "objective": {"metric": "val/dice"},
    }
    call("fit", "--config", "base.yaml")  # data set and cache
    alone, started, each = [], [], []
    for number in range(3):
        begin = time.perf_counter()
        call("fit", "--config", "base.yaml", "--run", f"alone-{number}")
        alone.append(time.perf_counter() - begin)
        Path(f"s{number}.yaml").write_text(yaml.safe_dump({**settings, "budget": {"trials": trials}}))
        begin = time.time()
        call("sweep", "--config", f"s{number}.yaml")
        logs = sorted(Path(f"runs/s{number}/sweep/trials").glob("*/attempt-1.json"))
        began = [first_claim(path) for path in logs]
        started.append(began[0] - begin)
        each += [after - before for before, after in pairwise(began)]
    return statistics.median(started), statistics.median(each) - statistics.median(alone)


def first_claim(path: Path) -> float:
    """Tell when a trial was begun: its settings are written right after."""
    return (path.parent / "experiment.yaml").stat().st_mtime


def call(*arguments: str) -> str:
    """Run a command of the platform."""
    command = [sys.executable, "-m", "lit_medseg", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(arguments)}: {done.stdout[-2000:]}{done.stderr[-2000:]}")
    return done.stdout


def formula_plan(trials: int) -> Plan:
    """Make the plan of a search without training."""
    return plan_of({**FORMULA, "budget": {"trials": trials}}, Path(), "formula")


def open_formula(folder: Path, trials: int) -> tuple[Plan, Any, Place]:
    """Open its study."""
    quieten()
    plan, place = formula_plan(trials), Place(folder, "formula")
    storage = open_storage(None, place.folder.path)
    return plan, open_study(plan, storage, plan.definition([]), "benchmark"), place


def nobody(number: int) -> bool:
    """Say that no child of another worker is at a trial: there are no children here."""
    return number < 0


def work(folder: Path, trials: int) -> None:
    """Draw, report and tell until nothing is left."""
    plan, study, place = open_formula(folder, trials)
    while (asked := next_trial(plan, study, place, True, nobody)) is not None:
        value = float(asked.settings["x"]) ** 2 + float(asked.settings["y"]) ** 2  # type: ignore[arg-type]
        report(study, asked.trial.number, 1, value)
        tell(plan, study, asked.trial.number, Outcome("COMPLETE", (value,)))
        asked.claim.give_back()


def study_alone(folder: Path, trials: int, workers: int) -> tuple[float, str]:
    """Let processes search together.

    Returns:
        Seconds, and what was wrong; an empty text for nothing.
    """
    open_formula(folder, trials)
    context = multiprocessing.get_context("spawn")
    processes = [context.Process(target=work, args=(folder, trials)) for _ in range(workers)]
    begin = time.perf_counter()
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    seconds = time.perf_counter() - begin
    _, study, place = open_formula(folder, trials)
    found = study.get_trials(deepcopy=False)
    faults = [f"exit status {process.exitcode}" for process in processes if process.exitcode]
    faults += [f"{len(found)} trials"] if len(found) != trials else []
    faults += [f"trial {one.number} is {one.state.name}" for one in found if one.state.name != "COMPLETE"]
    twice = [one.number for one in found if len(claims(place.trial(one.number))) != 1]
    return seconds, "; ".join([*faults, *([f"begun twice: {twice}"] if twice else [])])[:200]


def pruning(table: Table, at_once: int, seeds: int) -> bool:
    """Run the small nuclei sweep with and without its pruner; gives whether a goal is missed."""
    epochs, best = {}, {}
    for name in ("with", "without"):
        write_nuclei(name)
        call("sweep", "--config", f"{name}.yaml", "--preset", "small", "--workers", str(at_once))
        folder = Path(f"runs/{name}-small")
        epochs[name], best[name] = epochs_of(folder), best_of(folder)
    share = epochs["with"] / epochs["without"]
    word = "met" if share <= GOAL_SHARE else "MISSED"
    goal = f"<= {GOAL_SHARE:.0%}: {word}"
    table.add_row("epochs with pruning", f"{epochs['with']} of {epochs['without']}: {share:.0%}", goal)
    values = [value_with(Path("runs/without-small/sweep/best.yaml"), seed) for seed in range(1, seeds + 1)]
    spread = max(values) - min(values)
    text = f"{min(values):.4f} to {max(values):.4f}"
    table.add_row(f"val/dice of the best setting, {seeds} other seeds", text, "")
    same = abs(best["with"] - best["without"]) <= spread
    goal = f"differ by <= {spread:.4f}: {'met' if same else 'MISSED'}"
    table.add_row("best val/dice with, without", f"{best['with']:.4f}, {best['without']:.4f}", goal)
    return share > GOAL_SHARE or not same


def write_nuclei(name: str) -> None:
    """Write the sweep with its own pruner or without one; hours do not end it, so that both have the same trials."""
    plain = yaml.safe_load((ROOT / "sweeps/nuclei.yaml").read_text())
    plain["experiment"] = str(ROOT / "experiments/nuclei.yaml")
    if name == "without":
        plain["pruner"] = "optuna.pruners.NopPruner"
    plain["presets"]["small"]["budget"].pop("hours")
    Path(f"{name}.yaml").write_text(yaml.safe_dump(plain, sort_keys=False))


def epochs_of(folder: Path) -> int:
    """Count the epochs that a sweep's runs have trained, an epoch that was stopped on its way among them."""
    records = [path.read_text() for path in folder.glob("trial-*/records.jsonl")]
    return sum(len(set(re.findall(r'"key": "epoch", "value": (\d+)', one))) for one in records)


def best_of(folder: Path) -> float:
    """Read the best value in a sweep's table of trials."""
    with (folder / "sweep/trials.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    return max(float(row["val/dice"]) for row in rows if row["state"] == "COMPLETE")


def value_with(experiment: Path, seed: int) -> float:
    """Train an experiment with another seed; gives its best val/dice."""
    named = ("--experiment", "seeds", "--run", f"seed-{seed}")
    call("fit", "--config", str(experiment), "--seed_everything", str(seed), *named)
    text = Path(f"runs/seeds/seed-{seed}/records.jsonl").read_text()
    return max(map(float, re.findall(r'"key": "val/dice", "value": (\d[^,]*)', text)))


if __name__ == "__main__":
    sys.exit(main())
