"""Whole volumes through sliding windows: ours and MONAI's `sliding_window_inference`, side by side.

A volume of 182 x 218 x 182 with two channels, windows of 64^3, overlap 0.5, Gaussian weights. Time is of stitching:
until the averaged logits of every voxel have been there, which ours gives away slab by slab (in a second pass of the
process); `with labels` is that until every voxel has its label. Each measurement is a fresh process; memory is the peak
above the loaded process (Linux), for ours of the labels. Parts:

- `20`, `100`: as many classes, a 1x1x1 convolution as network: memory and the time of stitching. Goals, ours over
  MONAI's: memory 0.5 at 20, 0.35 at 100 and 0.2 there with 16 bits; time 0.9 and 0.5.
- `unet`: a residual-encoder U-Net with 2 classes; goal for the time: 1.02.

Labels have to be equal: in float32 on all but ties (the two best probabilities within 1e-6), with 16 bits wherever the
two best probabilities differ by over 1e-2.

Run: python benchmarks/inference.py [--parts 20 100 unet] [--pairs 3]

The sides alternate and the median counts. The machine should do nothing else.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
_FIGURES = ("seconds", "labelled_seconds", "peak_mib")
_TIES = {"ours": 1e-6, "ours, 16 bits": 1e-2}


@dataclass(frozen=True)
class Part:
    """What is measured, and the goals: most of MONAI's memory and time by side."""

    network: str
    classes: int
    memory: dict[str, float]
    time: dict[str, float]
    sides: tuple[str, ...] = ("monai", "ours", "ours, 16 bits")


PARTS = {
    "20": Part("pointwise", 20, {"ours": 0.5}, {"ours": 0.9}),
    "100": Part("pointwise", 100, {"ours": 0.35, "ours, 16 bits": 0.2}, {"ours": 0.5}),
    "unet": Part("unet", 2, {}, {"ours": 1.02}, ("monai", "ours")),
}


def main() -> int:
    """Measure and print; gives 1 where a goal is missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--parts", nargs="+", choices=list(PARTS), default=list(PARTS))
    parser.add_argument("--pairs", type=int, default=3)
    parser.add_argument("--image", type=int, nargs=3, default=[182, 218, 182], help="another volume, for a trial")
    parser.add_argument("--patch", type=int, default=64, help="another window, for a trial")
    options = parser.parse_args()
    os.environ["PYTHONPATH"] = str(ROOT)
    geometry = ["--image", *map(str, options.image), "--patch", str(options.patch)]
    met = [measure(PARTS[name], name, options.pairs, geometry) for name in options.parts]
    return 0 if all(met) else 1


def measure(part: Part, name: str, pairs: int, geometry: list[str]) -> bool:
    """Measure and print one part; gives whether its goals are met."""
    found: dict[str, list[dict[str, float]]] = {side: [] for side in part.sides}
    with tempfile.TemporaryDirectory() as folder:
        for _ in range(pairs):
            for side in part.sides:
                found[side].append(_child(part, side, folder, geometry))
        wrong = {side: _differing(Path(folder), side) for side in part.sides if side != "monai"}
    table = Table(
        "side", "time, s", "ratio", "with labels", "memory, MiB", "ratio", "labels that differ", title=f"part {name}"
    )
    met = True
    peer = {key: statistics.median(one[key] for one in found["monai"]) for key in _FIGURES}
    for side in part.sides:
        mine = {key: statistics.median(one[key] for one in found[side]) for key in _FIGURES}
        time, time_met = _judged(mine["seconds"] / peer["seconds"], part.time.get(side))
        memory, memory_met = _judged(mine["peak_mib"] / peer["peak_mib"], part.memory.get(side))
        labelled = mine["labelled_seconds"] / peer["labelled_seconds"]
        labels = "" if side == "monai" else f"{wrong[side][0]} of them decided: {wrong[side][1]}"
        table.add_row(
            side, f"{mine['seconds']:.2f}", time, f"{labelled:.3f}", f"{mine['peak_mib']:.0f}", memory, labels
        )
        met = met and time_met and memory_met and (side == "monai" or wrong[side][1] == 0)
    Console(width=120).print(table)
    return met


def _child(part: Part, side: str, folder: str, geometry: list[str]) -> dict[str, float]:
    arguments = [side, "--network", part.network, "--classes", str(part.classes), "--labels", folder, *geometry]
    command = [sys.executable, str(HERE / "inference_child.py"), *arguments]
    answer = subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()[-1]
    found: dict[str, float] = json.loads(answer)
    return found


def _differing(folder: Path, side: str) -> tuple[int, int]:
    """Count the voxels with another label than MONAI's, and those of them whose label is no tie."""
    differs = np.load(folder / f"{side}.npy") != np.load(folder / "monai.npy")
    return int(differs.sum()), int((differs & (np.load(folder / "margins.npy") > _TIES[side])).sum())


def _judged(ratio: float, goal: float | None) -> tuple[str, bool]:
    if goal is None:
        return f"{ratio:.3f}", True
    return f"{ratio:.3f} (<= {goal}: {'met' if ratio <= goal else 'MISSED'})", ratio <= goal


if __name__ == "__main__":
    sys.exit(main())
