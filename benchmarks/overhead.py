"""What `fit` costs beside the training itself.

Part `bare`: epochs of `python -m lit_medseg fit` (every callback, records to an SQLite store) in turns with epochs of a
plain PyTorch loop in a process of its own, over the same network, batches, augmentation, optimizer, schedule and weight
average. Images per second, ours over bare; goal: at least 0.97. Ours are counted by the run's own
`train/images_per_s`, in which validation and recording do not count; their seconds are printed apart.

Part `nuclei`: mean step of `fit` on the nuclei experiment (the epoch's first batch, for which the workers start, left
out), in turns with plain PyTorch steps on one repeated batch in the same process; goal: at most 1.10. On a GPU the
share of time spent waiting for data is to be under 5%. Needs `LIT_MEDSEG_DATA`.

Run: python benchmarks/overhead.py [--part bare|nuclei|both] [--seconds 60] [--pairs 5]

The pairs alternate, so that a machine whose speed drifts slows both sides; the first pair warms up and is dropped; the
median over the pairs counts. The machine should do nothing else. `--seconds` below 60 is a trial, no result.
"""

import argparse
import json
import math
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import torch
from bare_child import BareChild
from rich.console import Console
from rich.table import Table

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
_PROBE_STEPS = 10


def main() -> int:
    """Measure and print; gives 1 where a goal is missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--part", choices=("bare", "nuclei", "both"), default="both")
    parser.add_argument("--config", type=Path, default=ROOT / "experiments/quickstart.yaml", help="of part bare")
    parser.add_argument("--seconds", type=float, default=60.0, help="length of an epoch")
    parser.add_argument("--pairs", type=int, default=5, help="pairs that count")
    options = parser.parse_args()
    os.environ["PYTHONPATH"] = f"{ROOT}{os.pathsep}{HERE}"
    os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")
    met = []
    if "LIT_MEDSEG_DATA" in os.environ:  # read from a scratch folder
        os.environ["LIT_MEDSEG_DATA"] = str(Path(os.environ["LIT_MEDSEG_DATA"]).resolve())
    with tempfile.TemporaryDirectory() as scratch:
        os.chdir(scratch)
        if options.part in ("bare", "both"):
            met.append(against_bare(options.config.resolve(), options.seconds, options.pairs))
        if options.part in ("nuclei", "both"):
            met.append(against_one_batch(ROOT / "experiments/nuclei.yaml", options.seconds, options.pairs))
        os.chdir(ROOT)
    return 0 if all(met) else 1


def against_bare(config: Path, seconds: float, pairs: int) -> bool:
    """Measure and print part `bare`; gives whether the goal is met."""
    arguments, steps = _arguments(config, seconds, pairs)
    out = Path("bare.jsonl").resolve()
    epochs = _fit(
        arguments, "BareEpochs", {"steps": steps, "arguments": arguments, "out": str(out)}, config.stem, "bare"
    )
    bare = [answer["images"] / answer["seconds"] for answer in _lines(out)]
    ours = epochs["train/images_per_s"]
    rows = list(zip(ours, bare, strict=True))[1:]
    return _table(
        f"fit and a bare loop, {config.stem}, epochs of {steps} steps, {seconds:g} s",
        ("fit, images/s", "bare, images/s"),
        rows,
        at_least=0.97,
        notes={
            "validation, s an epoch": statistics.median(epochs["time/validation_s"]),
            "share of waiting for data": statistics.median(epochs["time/data_wait_share"]),
        },
    )


def against_one_batch(config: Path, seconds: float, pairs: int) -> bool:
    """Measure and print part `nuclei`; gives whether the goals are met."""
    if "LIT_MEDSEG_DATA" not in os.environ:
        sys.exit("part nuclei: needs the data, expected LIT_MEDSEG_DATA, got none. Set it to the folder of data sets.")
    arguments, steps = _arguments(config, seconds, pairs)
    out = Path("one.jsonl").resolve()
    settings = {"steps": steps, "precision": "bf16-mixed", "ema_decay": 0.99, "out": str(out)}
    epochs = _fit(arguments, "RepeatedBatch", settings, config.stem, "one-batch")
    loader = [
        (whole - first) / steps
        for whole, first in zip(epochs["time/epoch_s"], epochs["time/first_batch_s"], strict=True)
    ]
    repeated = [answer["seconds"] / steps for answer in _lines(out)]
    waiting = statistics.median(epochs["time/data_wait_share"][1:])
    met = _table(
        f"a step of fit and a step on one batch, {config.stem}, epochs of {steps} steps",
        ("from the loader, s", "one batch, s"),
        list(zip(loader, repeated, strict=True))[1:],
        at_most=1.10,
        notes={"share of waiting for data": waiting},
    )
    return met and (waiting < 0.05 or not torch.cuda.is_available())


def _arguments(config: Path, seconds: float, pairs: int) -> tuple[list[str], int]:
    """Choose the arguments of `fit` that make an epoch last so long, and count its steps."""
    base = ["--config", str(config), "--tracking", "sqlite:///mlflow.db"]
    probe = BareChild([*base, "--data.init_args.training.repeats", "1000"])
    probe.train(_PROBE_STEPS)
    steps = max(2, math.ceil(seconds / (probe.train(_PROBE_STEPS)["seconds"] / _PROBE_STEPS)))
    probe.close()
    repeats = math.ceil(steps * probe.batch_size / probe.cases)
    return [
        *base,
        *("--trainer.max_epochs", str(pairs + 1), "--trainer.limit_train_batches", str(steps)),
        *("--trainer.check_val_every_n_epoch", "1", "--data.init_args.training.repeats", str(repeats)),
    ], steps


def _fit(
    arguments: list[str], callback: str, settings: dict[str, Any], experiment: str, run: str
) -> dict[str, list[float]]:
    """Run the command; gives each metric's value by epoch."""
    listed = [{"class_path": f"between_epochs.{callback}", "init_args": settings}]
    command = [sys.executable, "-m", "lit_medseg", "fit", *arguments, "--run", run]
    subprocess.run([*command, "--trainer.callbacks", json.dumps(listed)], check=True, stdout=subprocess.DEVNULL)
    values: dict[str, list[float]] = {}
    for record in _lines(Path("runs", experiment, run, "records.jsonl")):
        if record["kind"] == "metric":
            values.setdefault(record["key"], []).append(float(record["value"]))
    return values


def _lines(file: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]


def _table(
    title: str,
    sides: tuple[str, str],
    pairs: list[tuple[float, float]],
    at_least: float = -math.inf,
    at_most: float = math.inf,
    notes: dict[str, float] | None = None,
) -> bool:
    """Print the pairs, their medians and the verdict."""
    table = Table("pair", *sides, "ratio", title=title)
    ratios = [first / second for first, second in pairs]
    for number, (pair, ratio) in enumerate(zip(pairs, ratios, strict=True), 1):
        table.add_row(str(number), *(f"{value:.4g}" for value in pair), f"{ratio:.3f}")
    medians = [statistics.median(side) for side in zip(*pairs, strict=True)]
    ratio = statistics.median(ratios)
    table.add_section()
    table.add_row("median", *(f"{value:.4g}" for value in medians), f"{ratio:.3f}")
    console = Console(width=100)
    console.print(table)
    for name, value in (notes or {}).items():
        console.print(f"{name}: {value:.3f}")
    met = at_least <= ratio <= at_most
    goal = f"at least {at_least}" if at_least > 0 else f"at most {at_most}"
    console.print(f"ratio {ratio:.3f}, goal {goal}: {'met' if met else 'MISSED'}\n")
    return met


if __name__ == "__main__":
    sys.exit(main())
