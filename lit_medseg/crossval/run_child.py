"""Runs one command as a child, to its end."""

import time
from collections.abc import Callable
from pathlib import Path

from lit_medseg.cluster.child import poll_child, start_child, stop_children
from lit_medseg.cluster.child_log import end_in_words
from lit_medseg.cluster.device_pool import DevicePool

_POLL_S = 0.2
_PATIENCE_S = 30.0


def run_child(arguments: list[str], log: Path, pool: DevicePool, stop: Callable[[], bool]) -> str:
    """Run a command on a free slot.

    Args:
        arguments: The verb and its arguments.
        log: Its output is added to the end of this file.
        pool: Where it may compute; a slot is free.
        stop: Asked all the time; once true, the child is ended.

    Returns:
        What went wrong; empty for a good end, and where it was stopped.
    """
    slot = pool.take()
    child = start_child(arguments, slot or (), log)
    try:
        while (status := poll_child(child)) is None and not stop():
            time.sleep(_POLL_S)
    finally:
        stop_children([child], _PATIENCE_S)
        if slot is not None:
            pool.give(slot)
    return "" if status in (0, None) else f"{arguments[0]} {end_in_words(status, log)}"
