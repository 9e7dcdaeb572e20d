"""How many GPUs this process sees, told without torch."""

import os
import subprocess
from pathlib import Path

from lit_medseg.cluster.child_environment import listed_devices

_ASK = ["nvidia-smi", "--query-gpu=index", "--format=csv,noheader"]
_ASK_S = 30.0


def count_gpus() -> int | None:
    """Count the GPUs that a child of this process could use.

    Returns:
        As many as `CUDA_VISIBLE_DEVICES` lists where it is set, else the machine's; 0 on a machine without. None where
        only its own libraries could tell (a GPU that is not NVIDIA's).
    """
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    there = _on_machine()
    if visible is None or there == 0:
        return there
    return len(listed_devices(visible))


def _on_machine() -> int | None:
    """Ask the driver; a machine without it, or whose driver does not answer, has none that could be used."""
    try:
        answer = subprocess.run(
            _ASK, capture_output=True, text=True, timeout=_ASK_S, check=True, stdin=subprocess.DEVNULL
        )
    except (OSError, subprocess.SubprocessError):
        return None if Path("/dev/kfd").exists() else 0
    return len(answer.stdout.split())
