"""A command of this program as a child process: a fold of a cross-validation, a trial of a sweep.

Such a parent imports no torch. It starts its children here, asks `poll_child` how they are, and tells them to stop.
"""

import os
import runpy
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from lit_medseg.cluster.child_environment import child_environment
from lit_medseg.cluster.die_with_parent import die_with_parent

Child = subprocess.Popen[bytes]
_POLL_S = 0.1


def start_child(arguments: list[str], devices: tuple[int, ...], log: Path, threads: int | None = None) -> Child:
    """Start `python -m lit_medseg <arguments>` in a session and process group of its own.

    A terminal's Ctrl-C reaches this process alone, which tells its children. When this process is gone, however it
    ended, a `fit` notices at its next step (`--parent_pid`), writes a checkpoint and ends. Any other verb has nothing
    to save: the kernel ends it, as soon as the *thread* that called this function is gone.

    Args:
        arguments: The verb and its arguments.
        devices: Numbers of the GPUs that it may see, as this process counts them; none leaves the choice to it.
        log: Its output is added to the end of this file; the folder is made.
        threads: Threads of arithmetic of each of its processes; None leaves them as they are.

    Returns:
        The process. Ask for its end by `poll_child` alone: `poll` and `wait` of the process itself may leave others of
        its group behind.

    Raises:
        ConfigError: This process does not see one of the devices.
        OSError: The log cannot be written, or no process can be started.
    """
    environment = child_environment(os.environ, devices, threads)
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as output:
        output.write(f"[{time.strftime('%Y-%m-%d %H:%M:%S')}] {shlex.join(arguments)}\n".encode())
        output.flush()
        return subprocess.Popen(
            _command(arguments),
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )


def poll_child(child: Child) -> int | None:
    """Tell whether a child has ended; what it left in its process group (ranks, loaders) is ended then.

    To be called by one thread.

    Returns:
        Its exit status, negative the signal that ended it; None while it runs.
    """
    if child.returncode is None and _has_ended(child.pid):
        # while the first process is not waited for, nobody else can get the number of its group
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(child.pid, signal.SIGKILL)
        child.wait()
    return child.returncode


def tell_child(child: Child, signum: signal.Signals = signal.SIGTERM) -> None:
    """Send a signal to a child's first process, which ends its ranks and loaders itself; nothing after its end."""
    if child.returncode is None:
        with suppress(ProcessLookupError):
            os.kill(child.pid, signum)


def stop_children(children: Iterable[Child], patience_s: float) -> list[int]:
    """Tell children to stop, and wait until all have ended.

    Args:
        children: Living or ended.
        patience_s: How long to wait for their checkpoints; who lives on is killed with its whole group.

    Returns:
        Their exit statuses.
    """
    waiting = list(children)
    deadline = time.monotonic() + patience_s
    for child in waiting:
        tell_child(child)
    try:
        while any(poll_child(child) is None for child in waiting) and time.monotonic() < deadline:
            time.sleep(_POLL_S)
    finally:  # also when a second Ctrl-C comes meanwhile
        for child in waiting:
            _kill_group(child)
    return [child.wait() for child in waiting]


def _kill_group(child: Child) -> None:
    if poll_child(child) is None:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(child.pid, signal.SIGKILL)
        child.wait()


def _command(arguments: list[str]) -> list[str]:
    if arguments[0] == "fit":
        return [sys.executable, "-m", "lit_medseg", *arguments, "--parent_pid", str(os.getpid())]
    return [sys.executable, "-m", "lit_medseg.cluster.child", str(os.getpid()), *arguments]


def _has_ended(pid: int) -> bool:
    """See whether a child has ended, without taking note of it for good."""
    try:
        return os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None
    except ChildProcessError:  # where SIGCHLD is ignored, the kernel takes note itself
        return True


def main() -> int:
    """Run a verb that ends with its parent: `python -m lit_medseg.cluster.child PARENT VERB ARGUMENTS...`.

    Returns:
        1 where the parent is gone already; else the verb ends the process.
    """
    die_with_parent()
    if os.getppid() != int(sys.argv[1]):
        return 1
    sys.argv = ["lit_medseg", *sys.argv[2:]]
    runpy.run_module("lit_medseg", run_name="__main__", alter_sys=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
