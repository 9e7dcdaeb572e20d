"""Where this process's main thread is."""

import sys
import threading
import traceback

from lit_medseg.cluster.rank_failure import stack_of


def main_stack() -> str:
    """Write down the stack of the main thread, whichever thread asks; empty where it has ended."""
    frame = sys._current_frames().get(threading.main_thread().ident or 0)
    return "" if frame is None else stack_of(traceback.extract_stack(frame))
