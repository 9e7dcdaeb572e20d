"""Who may compute where: the slots that child processes take and give back."""

import os
import threading
from collections import Counter, deque
from collections.abc import Sequence

from lit_medseg.cluster.count_gpus import count_gpus
from lit_medseg.errors import ConfigError, expected_got

Slot = tuple[int, ...]
"""Numbers of GPUs as this process counts them; empty for a place on the processors. Compare it with None: an empty slot
is a slot."""


class DevicePool:
    """Hands out slots, each to one child at a time; safe to use from several threads.

    Attributes:
        size: How many children may run at once.
        threads: Threads of arithmetic for each of them, see `start_child`: the processors are shared out among the
            children. None where only one runs at once, or where the user has set OMP_NUM_THREADS.
    """

    def __init__(self, workers: int | None, devices: Sequence[int] | None, per_child: int = 1) -> None:
        """Lay the slots out.

        Args:
            workers: How many children run at once; None for one per group of devices, without devices for one. More
                workers than groups share them in turn.
            devices: GPUs to use, as this process counts them; None leaves the choice to the children.
            per_child: GPUs of one child.

        Raises:
            ConfigError: A device that does not exist or stands twice, devices that `per_child` does not divide, no
                worker.
        """
        if workers is not None and workers < 1:
            raise ConfigError(expected_got("--workers", "nobody works", "1 or more", workers, "Give a number or none"))
        groups = [()] if devices is None else _groups(devices, per_child)
        slots = [groups[number % len(groups)] for number in range(workers or len(groups))]
        self.size = len(slots)
        self.threads = _threads(self.size)
        self._free = deque(slots)
        self._taken: Counter[Slot] = Counter()
        self._lock = threading.Lock()

    def take(self) -> Slot | None:
        """Take a free slot; None where there is none. Does not wait."""
        with self._lock:
            if not self._free:
                return None
            slot = self._free.popleft()
            self._taken[slot] += 1
            return slot

    def give(self, slot: Slot) -> None:
        """Give a slot back.

        Raises:
            ValueError: It is not taken.
        """
        with self._lock:
            if not self._taken[slot]:
                raise ValueError(f"device pool: the slot is not taken, expected one of {+self._taken}, got {slot}.")
            self._taken[slot] -= 1
            self._free.append(slot)


def _groups(devices: Sequence[int], per_child: int) -> list[Slot]:
    """Cut the devices into slots, in their order."""
    where = "--devices"
    twice = sorted(device for device, count in Counter(devices).items() if count > 1)
    if twice or not devices:
        got = f"{twice} twice" if twice else "none"
        raise ConfigError(expected_got(where, "unusable list", "each device once", got, "Correct the list"))
    there = count_gpus()
    missing = [device for device in devices if device < 0 or (there is not None and device >= there)]
    if missing:
        todo = "Name others, or leave it out to compute on the processors (--workers)"
        expected = f"0 to {there - 1}" if there else "none, this machine shows no GPU"
        raise ConfigError(expected_got(where, "no such device", expected, missing, todo))
    if per_child < 1 or len(devices) % per_child:
        todo = "Give a multiple"
        what = "the devices cannot be shared out"
        raise ConfigError(expected_got(where, what, f"a multiple of {max(1, per_child)}", len(devices), todo))
    return [tuple(devices[first : first + per_child]) for first in range(0, len(devices), per_child)]


def _threads(workers: int) -> int | None:
    if workers == 1 or "OMP_NUM_THREADS" in os.environ:
        return None
    processors = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, processors // workers)
