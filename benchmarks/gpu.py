"""Training on one GPU: utilisation, samples per second, peak memory; data loading on and off.

A residual-encoder U-Net in bfloat16, with `torch.compile` off and on, at two sizes: `hippocampus` (40 x 56 x 40, batch
9) and `liver` (128^3, batch 2). Loading off trains on one batch again and again; loading on draws patches of phantom
volumes, with our cache, workers and augmentation on the device. Goal: loading on costs under 5% of the samples per
second.

Run: python benchmarks/gpu.py [--sizes hippocampus liver] [--steps 100] [--workers 8] [--device cuda]

The first steps (`--warm-up`) are not counted: torch.compile and cuDNN choose their kernels there. `--device cpu --sizes
trial --steps 2 --no-compile` shows that the program runs where there is no GPU; its figures mean nothing.
"""

import argparse
import itertools
import os
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from rich.console import Console
from rich.table import Table
from torch import Tensor, nn

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))
os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")

from data_modules.mri import MRIDataModule  # noqa: E402 - after the path
from lit_medseg.catalogue.folder_pairs import FolderPairs  # noqa: E402
from lit_medseg.data.loading import Loading  # noqa: E402
from lit_medseg.data.preparation import Preparation  # noqa: E402
from lit_medseg.data.training import Training  # noqa: E402
from lit_medseg.data.trust import Trust  # noqa: E402
from lit_medseg.data.truth import Truth  # noqa: E402
from lit_medseg.losses.cross_entropy import CrossEntropy  # noqa: E402
from lit_medseg.losses.dice import DiceLoss  # noqa: E402
from lit_medseg.losses.weighted_sum import WeightedSum  # noqa: E402
from lit_medseg.networks.residual_encoder_unet import residual_encoder_unet  # noqa: E402

_GOAL = 0.95


@dataclass(frozen=True)
class Size:
    """Patches, how many a batch has, the phantoms' sides and the network's width."""

    patch: tuple[int, int, int]
    batch: int
    volume: tuple[int, int, int]
    features: int = 32


SIZES = {
    "hippocampus": Size((40, 56, 40), 9, (44, 60, 48)),
    "liver": Size((128, 128, 128), 2, (160, 256, 256)),
    "trial": Size((16, 16, 16), 2, (20, 24, 20), 4),
}


def main() -> int:
    """Measure and print; gives 1 where the goal is missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", nargs="+", choices=list(SIZES), default=["hippocampus", "liver"])
    parser.add_argument("--steps", type=int, default=100)
    parser.add_argument("--warm-up", type=int, default=10)
    parser.add_argument("--workers", type=int, default=min(8, max(1, (os.cpu_count() or 2) - 1)))
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--compile", action=argparse.BooleanOptionalAction, default=True, help="measure it too")
    options = parser.parse_args()
    table = Table("size", "compile", "loading", "samples/s", "GPU busy", "peak GiB", "on / off")
    met = True
    for name, compiled in itertools.product(options.sizes, (False, True) if options.compile else (False,)):
        found = {}
        for loading in (False, True):
            found[loading] = measure(SIZES[name], compiled, loading, options)
            ratio = found[True]["rate"] / found[False]["rate"] if loading else float("nan")
            verdict = f"{ratio:.3f} (>= {_GOAL}: {'met' if ratio >= _GOAL else 'MISSED'})" if loading else ""
            met = met and (not loading or ratio >= _GOAL)
            words = name, "on" if compiled else "off", "on" if loading else "off"
            row = found[loading]
            table.add_row(*words, f"{row['rate']:.2f}", f"{row['busy']:.0f}%", f"{row['peak']:.2f}", verdict)
    Console(width=120).print(table)
    return 0 if met else 1


def measure(size: Size, compiled: bool, loading: bool, options: argparse.Namespace) -> dict[str, float]:
    """Train for the warm-up and the steps; gives `rate` in samples/s, `busy` in percent, `peak` in GiB."""
    device = torch.device(options.device)
    torch.manual_seed(0)
    network = residual_encoder_unet(1, 3, size.patch, base_features=size.features).to(device)
    if compiled:
        network.compile()
    with tempfile.TemporaryDirectory() as folder:
        batches = _batches(size, Path(folder), options, device)
        if not loading:
            batches = itertools.repeat(next(batches))
        if device.type == "cuda":
            torch.cuda.reset_peak_memory_stats()
        trainer = _Steps(network, device)
        trainer.run(batches, options.warm_up)
        with _Busy(device) as busy:
            seconds = trainer.run(batches, options.steps)
    peak = torch.cuda.max_memory_allocated() / 2**30 if device.type == "cuda" else float("nan")
    return {"rate": options.steps * size.batch / seconds, "busy": busy.percent, "peak": peak}


class _Steps:
    """A plain training loop."""

    def __init__(self, network: nn.Module, device: torch.device) -> None:
        self.network = network.train()
        self.device = device
        self.loss = WeightedSum(CrossEntropy(), DiceLoss())
        self.optimizer = torch.optim.AdamW(network.parameters(), fused=device.type == "cuda")

    def run(self, batches: Iterator[tuple[Tensor, Tensor]], steps: int) -> float:
        """Take steps; gives their seconds."""
        began = time.perf_counter()
        for image, mask in itertools.islice(batches, steps):
            with torch.autocast(self.device.type, torch.bfloat16):
                logits = self.network(image)
            self.optimizer.zero_grad(set_to_none=True)
            self.loss(logits, mask).backward()
            self.optimizer.step()
        if self.device.type == "cuda":
            torch.cuda.synchronize()
        return time.perf_counter() - began


class _Busy:
    """Asks the driver ten times a second how busy the GPU is; `percent` is the mean, NaN without a GPU."""

    def __init__(self, device: torch.device) -> None:
        self.percent = float("nan")
        self._on = device.type == "cuda"
        self._seen: list[int] = []
        self._over = threading.Event()

    def __enter__(self) -> "_Busy":
        if self._on:
            self._thread = threading.Thread(target=self._watch, daemon=True)
            self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._on:
            self._over.set()
            self._thread.join()
            self.percent = float(np.mean(self._seen)) if self._seen else float("nan")

    def _watch(self) -> None:
        import pynvml  # noqa: PLC0415 - there may be no driver

        pynvml.nvmlInit()
        handle = pynvml.nvmlDeviceGetHandleByIndex(0)
        while not self._over.wait(0.1):
            self._seen.append(pynvml.nvmlDeviceGetUtilizationRates(handle).gpu)


def _batches(
    size: Size, folder: Path, options: argparse.Namespace, device: torch.device
) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield images and masks on the device, without end."""
    _write_volumes(folder, size.volume)
    data = MRIDataModule(
        source=FolderPairs(str(folder)),
        truth=Truth(masks={"organ": 1, "lesion": 2}),
        trust=Trust(patients="unknown"),
        preparation=Preparation(cache_dir=str(folder / "cache")),
        training=Training(patch_size=list(size.patch), augment_on="device", repeats=100),
        loading=Loading(batch_size=size.batch, workers=options.workers),
    )
    data.prepare()
    loader: Any = data.train_dataloader()
    for epoch in itertools.count():
        loader.batch_sampler.set_epoch(epoch)
        for batch in loader:
            moved: Any = data.transfer_batch_to_device(batch, device, 0)
            yield moved["image"], moved["mask"]


def _write_volumes(folder: Path, sides: tuple[int, int, int], count: int = 8) -> None:
    """Write seeded volumes with an organ and a lesion as NIfTI."""
    import nibabel  # noqa: PLC0415 - heavy

    rng = np.random.default_rng(0)
    grid = np.stack(np.meshgrid(*(np.linspace(-1, 1, side) for side in sides), indexing="ij"))
    for kind in ("images", "masks"):
        (folder / kind).mkdir()
    for number in range(count):
        centre = rng.uniform(-0.3, 0.3, (3, 1, 1, 1))
        distance = np.sqrt(((grid - centre) ** 2).sum(0))
        mask = (distance < 0.5).astype(np.uint8) + (distance < 0.15)
        image = (mask * 100 + rng.normal(0, 20, sides)).astype(np.float32)
        for kind, array in (("images", image), ("masks", mask.astype(np.uint8))):
            nibabel.save(nibabel.Nifti1Image(array, np.eye(4)), folder / kind / f"case{number}.nii.gz")


if __name__ == "__main__":
    sys.exit(main())
