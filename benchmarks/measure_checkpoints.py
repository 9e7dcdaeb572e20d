"""Part `checkpoints` of `resume.py`: what one checkpoint takes from training."""

import statistics
from pathlib import Path

from fit_process import FitProcess, read_lines
from resume_row import Row

_EVERY_S = 600.0
"""The default of `--checkpoint_minutes`."""
_GOAL = 0.01
NETWORKS = {"4.8 M": ((32, 64, 128, 256), 40), "43 M": ((96, 192, 384, 768), 12)}
"""Parameters of the network: channels of its levels, and the steps of a block, which is to outlast the writing."""


def measure_checkpoints(quick: bool) -> list[Row]:
    """Measure on one and on two ranks."""
    ways = [("4.8 M", 1)] if quick else [(network, ranks) for network in NETWORKS for ranks in (1, 2)]
    return [row for network, ranks in ways for row in _measure(network, ranks, 1 if quick else 5)]


def _measure(network: str, ranks: int, pairs: int) -> list[Row]:
    channels, steps = NETWORKS[network]
    name = f"checkpoints-{channels[0]}-{ranks}"
    settings = {"steps": steps, "pairs": pairs, "out": str(Path(f"{name}.jsonl").resolve())}
    # the callback ends it after the last block
    fit = FitProcess(name, ranks, channels, 2 * steps * (pairs + 3), 1, "checkpoint_blocks.CheckpointBlocks", settings)
    fit.run("--checkpoint_minutes", "0.0001", "--tracking", "sqlite:///mlflow.db")
    blocks = read_lines(Path(f"{name}.jsonl"))[2:]
    bare, saving = blocks[::2], blocks[1::2]
    extra = [one["block_s"] - other["block_s"] for one, other in zip(saving, bare, strict=True)]
    stall, write = (statistics.median(block[key] for block in saving) for key in ("stall_s", "write_s"))
    step_s = statistics.median(block["block_s"] for block in bare) / steps
    # were no core free and the disk never waited for, the loop would stand still for all of it
    most = stall + write
    what = f"{network} parameters, {_ranks(ranks)}"
    size = f"{saving[0]['bytes'] / 1e6:.0f} MB; steps of {1000 * step_s:.0f} ms, {pairs} pairs of blocks"
    took = statistics.median(extra)
    middle = statistics.quantiles(extra, n=4) if pairs > 2 else [min(extra), took, max(extra)]
    return [
        Row(what, "training stands still", f"{1000 * stall:.0f} ms a checkpoint of {size}"),
        Row(what, "writing in the background", f"{write:.2f} s"),
        Row(
            what,
            "training takes longer by",
            f"{took:+.2f} s a checkpoint (quartiles {middle[0]:+.2f}, {middle[2]:+.2f})",
        ),
        Row(what, "share of 10 minutes", f"{took / _EVERY_S:.3%}", "< 1%", took / _EVERY_S < _GOAL),
        Row(what, "share, standing still + writing", f"{most / _EVERY_S:.3%}", "< 1%", most / _EVERY_S < _GOAL),
    ]


def _ranks(ranks: int) -> str:
    return "one rank" if ranks == 1 else f"{ranks} ranks"
