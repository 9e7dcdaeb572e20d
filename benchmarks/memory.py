"""Peak memory and time of a training step of a 3D U-Net on the CPU, with and without gradient checkpointing.

Call: python benchmarks/memory.py [--patch 64 64 96] [--steps 2]. Each variant runs in a process of its own, since the
peak of a process never falls. Prints one line a variant: what a step adds to the process's memory, and its seconds.
"""

import argparse
import multiprocessing
import os
import resource
import time
from collections.abc import Sequence

import torch

from lit_medseg.networks.gradient_checkpointing import checkpoint_parts
from lit_medseg.networks.residual_encoder_unet import residual_encoder_unet

VARIANTS = {
    "plain": [],
    "encoder": ["encoder.stages.*"],
    "encoder and decoder": ["encoder.stem", "encoder.stages.*", "decoder.stages.*"],
}


def main() -> None:
    """Measure each variant."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--patch", type=int, nargs=3, default=(64, 64, 96))
    parser.add_argument("--steps", type=int, default=2)
    arguments = parser.parse_args()
    # freed memory goes back to the system at once: the peak is then what was in use, not what malloc keeps
    os.environ |= {"MALLOC_MMAP_THRESHOLD_": "65536", "MALLOC_TRIM_THRESHOLD_": "65536"}
    context = multiprocessing.get_context("spawn")
    print(f"patch {tuple(arguments.patch)}, float32, {torch.get_num_threads()} threads")
    for name, patterns in VARIANTS.items():
        with context.Pool(1) as pool:
            peak_bytes, seconds = pool.apply(measure, (arguments.patch, patterns, arguments.steps))
        print(f"{name:20} {peak_bytes / 2**20:7.0f} MiB {seconds:6.1f} s a step")


def measure(patch: Sequence[int], patterns: Sequence[str], steps: int) -> tuple[int, float]:
    """Train on noise.

    Args:
        patch: Sides of the volume.
        patterns: Checkpointed parts.
        steps: How many; the fastest one counts.

    Returns:
        Bytes that the process's peak rose by since the network and its optimizer were made, and seconds of a step.
    """
    network = residual_encoder_unet(in_channels=1, classes=3, patch_size=tuple(patch), spacing_mm=(1.0, 1.0, 1.0))
    checkpoint_parts(network, patterns)
    optimizer = torch.optim.SGD(network.parameters(), lr=1e-3)
    image = torch.randn(1, 1, *patch)
    before, times = _peak_bytes(), []
    for _ in range(steps):
        start = time.perf_counter()
        network(image).square().mean().backward()
        optimizer.step()
        optimizer.zero_grad()
        times.append(time.perf_counter() - start)
    return _peak_bytes() - before, min(times)


def _peak_bytes() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


if __name__ == "__main__":
    main()
