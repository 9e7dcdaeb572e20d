"""Augmented patches per second, side by side with nnU-Net 2.8.1 and MONAI 1.6.1 in an environment of their own.

Part `hippocampus`: patches 40x56x40 of 120 cases, batches of 9, a third of them around foreground; nnU-Net's default
augmentation with its probabilities and ranges on every side. Goals: at least 1.5 times nnU-Net's loader and 2.5 times
MONAI's `CacheDataset` with dictionary transforms; and with augmentation on the device, processor time per patch at most
one fifth of nnU-Net's.

Part `nuclei`: crops of 256x256 of colour pictures, batches of 12. Goals: at least nnU-Net's 2D loader (with
`BatchAugmentation`), and at least a plain `DataLoader` with the same albumentations (with albumentations).

Everything reads the same processed cases, written once; rates count what arrives in the main process, with one and with
two worker processes (one thread each); each measurement is a process of its own, and the sides come in turns.
`device` cuts and normalises on the workers; without a GPU the patches are then only handed over, with one they are made
and its kernels' launches count.

Run: LIT_MEDSEG_DATA=../shared/data python benchmarks/loader.py [--part hippocampus|nuclei|both] [--seconds 8] [--rounds 3]
"""  # noqa: E501 - a command is one line

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from peer_environment import peer_python
from rich.console import Console
from rich.table import Table

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))
SETTINGS = {"hippocampus": ("40x56x40", 9), "nuclei": ("256x256", 12)}
SIDES = {
    "hippocampus": ("ours", "device", "nnunet", "monai"),
    "nuclei": ("ours", "albumentations", "nnunet", "plain"),
}
# Ours, a peer, and the least ratio of rates.
RATE_GOALS = {
    "hippocampus": (("ours", "nnunet", 1.5), ("ours", "monai", 2.5)),
    "nuclei": (("ours", "nnunet", 1.0), ("albumentations", "plain", 1.0)),
}
CPU_GOAL = 0.2
Results = dict[tuple[str, int], dict[str, float]]


def main() -> int:
    """Measure and print; gives 1 where a goal is missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--part", choices=(*SETTINGS, "both"), default="both")
    parser.add_argument("--seconds", type=float, default=8.0, help="of one measurement")
    parser.add_argument("--rounds", type=int, default=3, help="the median counts")
    parser.add_argument("--processes", type=int, nargs="+", default=[1, 2])
    options = parser.parse_args()
    met = []
    for part in SETTINGS if options.part == "both" else [options.part]:
        with tempfile.TemporaryDirectory() as folder:
            write_cases(part, Path(folder))
            results = measured(part, Path(folder), options.seconds, options.rounds, options.processes)
        met.append(print_results(part, results, options.processes))
    return 0 if all(met) else 1


def write_cases(part: str, folder: Path) -> None:
    """Write `image` float32, of mean 0 and deviation 1, `mask` uint8, and for pictures `picture` uint8, a file each."""
    data = Path(os.environ["LIT_MEDSEG_DATA"])
    cases = hippocampus(data / "mri_hippocampus_msd") if part == "hippocampus" else nuclei(data / "nuclei_dsb2018")
    for number, (raw, mask) in enumerate(cases):
        axes = tuple(range(1, raw.ndim))
        image = raw.astype(np.float32)
        image = (image - image.mean(axes, keepdims=True)) / image.std(axes, keepdims=True)
        picture = {"picture": raw} if part == "nuclei" else {}
        np.savez(folder / f"case{number:03}.npz", image=image.astype(np.float32), mask=mask.astype(np.uint8), **picture)


def hippocampus(folder: Path) -> list[tuple[np.ndarray, np.ndarray]]:
    """Read all labelled volumes."""
    from lit_medseg.imaging.read_mask_volume import read_mask_volume  # noqa: PLC0415 - only this part reads volumes
    from lit_medseg.imaging.read_volume import read_volume  # noqa: PLC0415

    names = sorted(file.name for file in (folder / "labels").glob("*.nii.gz"))
    return [
        (read_volume(folder / "images" / name).array, read_mask_volume(folder / "labels" / name).array)
        for name in names
    ]


def nuclei(folder: Path) -> list[tuple[np.ndarray, np.ndarray]]:
    """Read all colour pictures."""
    from lit_medseg.imaging.read_array import read_image, read_mask  # noqa: PLC0415 - only this part reads pictures

    names = sorted(file.name for file in (folder / "images").glob("*.png"))
    return [(read_image(folder / "images" / n)[:3], read_mask(folder / "masks" / n)[None] > 0) for n in names]


def measured(part: str, folder: Path, seconds: float, rounds: int, processes: list[int]) -> Results:
    """Measure all sides in turns; gives medians by side and number of processes."""
    found: dict[tuple[str, int], list[dict[str, float]]] = {}
    for _ in range(rounds):
        for count in processes:
            for side in SIDES[part]:
                found.setdefault((side, count), []).append(measure(side, part, folder, count, seconds))
    return {
        key: {name: statistics.median(run[name] for run in runs) for name in runs[0]} for key, runs in found.items()
    }


def measure(side: str, part: str, folder: Path, processes: int, seconds: float) -> dict[str, float]:
    """Run one side in a process of its own."""
    patch, batch = SETTINGS[part]
    ours = side not in ("nnunet", "monai")
    program = HERE / (f"{side}_loader.py" if not ours else "our_loader.py")
    command = [str(sys.executable if ours else peer_python()), str(program)]
    command += [str(folder), patch, str(batch), str(processes), str(seconds), *([side] if ours else [])]
    path = f"{HERE.parent}{os.pathsep}{HERE}" if ours else str(HERE)
    threads = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    environment = {
        **os.environ,
        **threads,
        "PYTHONPATH": path,
        "PYTHONWARNINGS": "ignore",
        "NO_ALBUMENTATIONS_UPDATE": "1",
    }
    run = subprocess.run(command, check=False, capture_output=True, text=True, env=environment, cwd=folder)
    if run.returncode != 0:
        sys.exit(f"{side}: {run.stderr[-3000:]}")
    result: dict[str, float] = json.loads(run.stdout.strip().splitlines()[-1])
    return result


def print_results(part: str, results: Results, processes: list[int]) -> bool:
    """Print rates, processor times and ratios; tells whether every goal is met."""
    console, met = Console(), []
    table = Table("side", "processes", "patches/s", "CPU ms a patch", title=f"{part}, patch {SETTINGS[part][0]}")
    for (side, count), result in results.items():
        table.add_row(side, str(count), f"{result['rate']:.0f}", f"{result['cpu_ms']:.2f}")
    console.print(table)
    for count in processes:
        for mine, peer, goal in RATE_GOALS[part]:
            ratio = results[mine, count]["rate"] / results[peer, count]["rate"]
            met.append(ratio >= goal)
            console.print(f"{count} processes: {mine} / {peer} = {ratio:.2f} (goal: at least {goal})")
        if part == "hippocampus":
            share = results["device", count]["cpu_ms"] / results["nnunet", count]["cpu_ms"]
            met.append(share <= CPU_GOAL)
            console.print(f"{count} processes: CPU a patch, device / nnunet = {share:.3f} (goal: at most {CPU_GOAL})")
    return all(met)


if __name__ == "__main__":
    sys.exit(main())
