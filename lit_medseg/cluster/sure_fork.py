"""Forked processes that have really started. POSIX only."""

import logging
import os
import signal
import socket
from contextlib import suppress
from multiprocessing.context import ForkContext, ForkProcess
from multiprocessing.popen_fork import Popen
from multiprocessing.process import BaseProcess

from typing_extensions import override

_LOG = logging.getLogger(__name__)
_PATIENCE_S = (2.0, 5.0, 10.0, 20.0, 40.0, 80.0)
"""A child starts within milliseconds; the later attempts are for a machine that is short of everything."""
_WORD = b"!"


class SureProcess(ForkProcess):
    """A process that asks whether it may work before it does: who forked it may have given it up.

    Attributes:
        line: Two connected sockets while the process starts: of who forks it, and its own.
    """

    line: tuple[socket.socket, socket.socket] | None = None

    @staticmethod
    @override
    def _Popen(process_obj: BaseProcess) -> Popen:  # multiprocessing looks for it under this name
        return _SurePopen(process_obj)

    @override
    def run(self) -> None:
        """Work, if the process that forked this one still waits for it."""
        if self.line is not None:
            theirs, own = self.line
            theirs.close()
            with own:
                own.sendall(_WORD)
                if own.recv(1) != _WORD:
                    return
        super().run()


class SureForkContext(ForkContext):
    """`fork` for a process that has threads: a child that hangs before its first line is ended, and forked again.

    A child has all locks as they were at the fork, and none of the threads that would release them. CPython before
    3.11.10 waits in the child for one of these (python/cpython issue 112275); a thread of a process group holds it
    for a moment after each collective, when it lets go of a tensor of Python's. A loader's worker that was forked in
    this moment never sends a batch, and all ranks wait for it. Before its first line a child has done nothing, and it
    does nothing before it is told to, so nothing is lost with it.
    """

    Process = SureProcess


class _SurePopen(Popen):
    """One fork, or several where a child does not speak up."""

    @override
    def terminate(self) -> None:
        """End the child for certain: a loader's worker ignores SIGTERM, and its rank would wait for it at the exit."""
        self.kill()

    def _launch(self, process_obj: SureProcess) -> None:
        for patience_s in _PATIENCE_S:
            if self._starts(process_obj, patience_s):
                return
            _LOG.warning("a worker process hung in its fork (%g s): it was ended, and another one forked.", patience_s)
        raise TimeoutError(f"{len(_PATIENCE_S)} worker processes in a row hung in their fork")

    def _starts(self, process_obj: SureProcess, patience_s: float) -> bool:
        """Fork, and tell the child to work once it has spoken up.

        Returns:
            Whether it works, or has ended by itself, which is for others to see; False where it was ended here.
        """
        process_obj.line = own, theirs = socket.socketpair()
        self.pid = 0  # as in the child, which must not end anything
        started = False
        with own, theirs:
            try:
                super()._launch(process_obj)  # type: ignore[misc]  # not in the stubs; the child never returns from it
                theirs.close()
                started = _speaks(own, patience_s)
            finally:
                process_obj.line = None
                if not started and self.pid:
                    self._end()
        return started

    def _end(self) -> None:
        """End the child, and close what led to it."""
        os.kill(self.pid, signal.SIGKILL)
        with suppress(ChildProcessError):
            os.waitpid(self.pid, 0)
        if self.finalizer is not None:
            self.finalizer()


def _speaks(line: socket.socket, patience_s: float) -> bool:
    """Wait for a child's word, and answer it; True also where the child has gone, False where nothing comes."""
    line.settimeout(patience_s)
    try:
        if line.recv(1):
            line.sendall(_WORD)
    except TimeoutError:
        return False
    except ConnectionError:
        return True
    return True
