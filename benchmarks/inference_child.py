"""One side of `inference.py`, in a process of its own: prints seconds and peak memory as JSON, writes labels."""

import argparse
import gc
import json
import time
from pathlib import Path

import numpy as np
import psutil
import torch
from monai.inferers import sliding_window_inference
from torch import Tensor, nn

from lit_medseg.inference.sliding_window import SlidingWindow
from lit_medseg.networks.residual_encoder_unet import residual_encoder_unet
from lit_medseg.target import MultiClass

CHANNELS = 2


def main() -> None:
    """Measure one side once."""
    parser = argparse.ArgumentParser()
    parser.add_argument("side", choices=("ours", "ours, 16 bits", "monai"))
    parser.add_argument("--network", choices=("pointwise", "unet"), required=True)
    parser.add_argument("--classes", type=int, required=True)
    parser.add_argument("--image", type=int, nargs="+", required=True)
    parser.add_argument("--patch", type=int, required=True)
    parser.add_argument("--labels", type=Path, required=True, help="folder to write labels and margins to")
    options = parser.parse_args()
    torch.manual_seed(0)
    patch = (options.patch,) * len(options.image)
    image = torch.randn(1, CHANNELS, *options.image)
    network = _network(options.network, options.classes, patch)
    with torch.no_grad():
        _run(options.side, torch.randn(1, CHANNELS, *patch), network, options.classes, patch)  # libraries load here
        gc.collect()
        before = _memory("VmRSS")
        Path("/proc/self/clear_refs").write_text("5", "ascii")  # forgets the peak so far
        began = time.perf_counter()
        result = _run(options.side, image, network, options.classes, patch)
        seconds = time.perf_counter() - began
        peak = _memory("VmHWM") - before
        labelled = seconds
        if result.ndim == len(patch) + 2:  # logits
            result.argmax(1)
            labelled = time.perf_counter() - began
        else:  # once more without the decisions, which MONAI's logits have not had either
            window, target = SlidingWindow(patch, half=options.side != "ours"), _target(options.classes)
            began = time.perf_counter()
            for slab in window.slabs(image, network, target):
                _ = slab.logits
            seconds = time.perf_counter() - began
    _save(result, options.labels, options.side)
    print(
        json.dumps(
            {"seconds": seconds, "labelled_seconds": labelled, "peak_mib": peak / 1024, "loaded_mib": before / 1024}
        )
    )


def _network(kind: str, classes: int, patch: tuple[int, ...]) -> nn.Module:
    if kind == "pointwise":
        return nn.Conv3d(CHANNELS, classes, 1).eval()
    return residual_encoder_unet(CHANNELS, classes, patch).eval()


def _run(side: str, image: Tensor, network: nn.Module, classes: int, patch: tuple[int, ...]) -> Tensor:
    """Give labels (ours) or logits (MONAI's, whose labels would cost it more)."""
    if side == "monai":
        logits: Tensor = sliding_window_inference(image, patch, 1, network, overlap=0.5, mode="gaussian")
        return logits
    return SlidingWindow(patch, half=side != "ours").labels(image, network, _target(classes))


def _target(classes: int) -> MultiClass:
    return MultiClass(tuple(str(number) for number in range(classes)))


def _save(result: Tensor, folder: Path, side: str) -> None:
    if result.ndim == 4:
        np.save(folder / f"{side}.npy", result[0].numpy())
        return
    labels, margins = [], []
    for plane in result[0].split(1, dim=1):  # in parts: softmax and topk of everything would not fit small machines
        probabilities = plane.double().softmax(0)
        best = probabilities.topk(2, dim=0)
        labels.append(best.indices[0].numpy().astype(np.uint8))
        margins.append((best.values[0] - best.values[1]).float().numpy())
    np.save(folder / f"{side}.npy", np.concatenate(labels))
    np.save(folder / "margins.npy", np.concatenate(margins))


def _memory(field: str) -> int:
    """Read a line of the process's own memory, in KiB."""
    if field == "VmRSS":
        return int(psutil.Process().memory_info().rss // 1024)
    lines = Path("/proc/self/status").read_text("ascii").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(field))


if __name__ == "__main__":
    main()
