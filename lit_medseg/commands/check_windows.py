"""A sliding window that does not fit the data or the machine, found before training and not at its first validation."""

import torch

from lit_medseg.errors import ConfigError, expected_got
from lit_medseg.inference.sliding_window import SlidingWindow
from lit_medseg.tasks.task import Task

WHERE = "model.evaluating.inferer"


def check_windows(task: Task, axes: int) -> None:
    """See that windows have the images' axes, and that the device of their sums is there.

    Args:
        task: One without windows is not looked at.
        axes: Spatial axes of the images.

    Raises:
        ConfigError: Another number of sides, or no such device.
    """
    windows = getattr(task, "inferer", None)
    if not isinstance(windows, SlidingWindow):
        return
    if len(windows.patch_size) != axes:
        todo = "Give patch_size one side an axis, or leave it out to take the patches' of training"
        got = list(windows.patch_size)
        raise ConfigError(expected_got(f"{WHERE}.patch_size", "other axes than the images", f"{axes} sides", got, todo))
    if windows.sum_device is not None:
        _check_device(windows.sum_device)


def _check_device(name: str) -> None:
    """Put a number there.

    Raises:
        ConfigError: It cannot be put there.
    """
    try:
        torch.zeros(1, device=name)
    except (RuntimeError, AssertionError) as error:
        todo = "Name cpu, or leave it out"
        expected = "cpu, cuda or another device of this machine"
        raise ConfigError(expected_got(f"{WHERE}.sum_device", "no such device", expected, name, todo)) from error
