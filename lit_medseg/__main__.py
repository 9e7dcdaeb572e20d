"""`python -m lit_medseg`."""

import atexit
import contextlib
import os
import sys

from lit_medseg.main import main


class Exit:
    """Ends the process when everything that registered for its end has run, without taking the interpreter down.

    To take it down means to go through every object of torch, seconds long, only to free what the system frees anyway.

    Attributes:
        status: What the process ends with; 1 until it is known, for an error that nobody caught.
    """

    def __init__(self) -> None:
        self.status = 1
        # before anything is imported that registers too: the first one registered is called last
        atexit.register(self._leave)

    def _leave(self) -> None:
        with contextlib.suppress(OSError):  # a reader that is gone, of `| head`
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(self.status)


if __name__ == "__main__":
    leaving = Exit()
    try:
        leaving.status = main()
    except SystemExit as error:  # of a parser, after its help
        leaving.status = error.code if isinstance(error.code, int) else int(error.code is not None)
        raise
    sys.exit(leaving.status)
