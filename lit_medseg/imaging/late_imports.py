"""The lock under which threads import the libraries that are imported late."""

import os
import threading

LATE_IMPORTS = threading.RLock()
"""Held around `import` within a function that threads call.

Where modules of a library import each other, as nibabel's do, CPython lets a second thread go on with a module that is
only half executed rather than wait for it for ever; that thread then fails with an `ImportError`.
"""
# A child has the thread that forks alone: a lock that another one held would never be released there.
os.register_at_fork(
    before=LATE_IMPORTS.acquire, after_in_parent=LATE_IMPORTS.release, after_in_child=LATE_IMPORTS.release
)
