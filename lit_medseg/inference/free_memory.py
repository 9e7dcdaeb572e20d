"""How much memory may still be taken."""

from pathlib import Path

import psutil
import torch

_GROUPS = Path("/sys/fs/cgroup")
"""Where Linux states the limit of a container or of a batch job (version 2)."""
SHARE = 0.5
"""Of the free memory that may be taken unasked: a network's features need room too."""


def free_bytes(device: torch.device, groups: Path = _GROUPS) -> int:
    """Count what a device has left.

    Args:
        device: A CPU, or an accelerator of torch's cuda interface.
        groups: The folder of the process's control group.

    Returns:
        Bytes: on a CPU the machine's available memory or what the job's limit leaves, whichever is less; on a GPU what
        the driver has free and what torch keeps without using it.
    """
    if device.type == "cuda":
        kept = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
        return torch.cuda.mem_get_info(device)[0] + kept
    available = psutil.virtual_memory().available
    try:
        limit, used = ((groups / name).read_text("ascii").strip() for name in ("memory.max", "memory.current"))
    except OSError:
        return available
    if limit == "max":
        return available
    return max(0, min(available, int(limit) - int(used) + _page_cache_bytes(groups)))


def _page_cache_bytes(groups: Path) -> int:
    """Count the pages of files, which the system counts as used and gives away as soon as they are needed.

    Reading a data set fills a group's limit with them.
    """
    try:
        lines = (groups / "memory.stat").read_text("ascii").splitlines()
    except OSError:
        return 0
    facts = dict(line.split(maxsplit=1) for line in lines if line.strip())
    return sum(int(facts.get(name, 0)) for name in ("active_file", "inactive_file"))


def memory_limit_bytes(limit_gib: float | None, device: torch.device) -> int:
    """Give the stated limit, or `SHARE` of the free memory where none is stated."""
    return int(SHARE * free_bytes(device)) if limit_gib is None else int(limit_gib * 2**30)
