"""The random streams of this process, as plain data."""

import random
from typing import Any

import numpy as np
import torch


def random_streams() -> dict[str, Any]:
    """Read the state of Python's, NumPy's and torch's generators: of the CPU and of every CUDA device in use.

    Returns:
        Plain data and byte tensors; a checkpoint can hold them.
    """
    name, words, *rest = np.random.get_state(legacy=True)  # noqa: NPY002 - the global stream, which libraries draw from
    version, numbers, gauss = random.getstate()
    cuda = torch.cuda.get_rng_state_all() if torch.cuda.is_available() and torch.cuda.is_initialized() else []  # type: ignore[no-untyped-call]
    return {
        "python": [version, list(numbers), gauss],
        "numpy": [str(name), np.asarray(words).tolist(), *(float(number) for number in rest)],
        "torch": torch.get_rng_state(),
        "cuda": list(cuda),
    }


def set_random_streams(state: dict[str, Any]) -> None:
    """Go on where `random_streams` was called.

    Args:
        state: What it gave; the states of CUDA devices that this process lacks are left out.
    """
    version, numbers, gauss = state["python"]
    random.setstate((version, tuple(numbers), gauss))
    name, words, position, has_gauss, cached = state["numpy"]
    np.random.set_state((name, np.array(words, np.uint32), int(position), int(has_gauss), cached))  # noqa: NPY002
    torch.set_rng_state(state["torch"].cpu())
    if torch.cuda.is_available():
        for device, stream in enumerate(state["cuda"][: torch.cuda.device_count()]):
            torch.cuda.set_rng_state(stream.cpu(), device)
