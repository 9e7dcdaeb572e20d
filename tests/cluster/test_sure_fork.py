"""Forked processes that hang, end or are interrupted in their fork: real ones, each started by a program of its own."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

ROOT = Path(__file__).parents[2]
HEAD = """
import os, signal, sys, time
from lit_medseg.cluster import sure_fork

forks = []

def forked(fault, faulty=1):
    '''Have the first children come to grief before the first line of theirs.'''
    os.register_at_fork(
        before=lambda: forks.append(1), after_in_child=lambda: fault() if len(forks) <= faulty else None
    )

def hang():
    time.sleep(1000)

def work(queue, number):
    queue.put(number * number)

def worked(numbers):
    context = sure_fork.SureForkContext()
    queue = context.SimpleQueue()
    children = [context.Process(target=work, args=(queue, number)) for number in numbers]
    for child in children:
        child.start()
    values = sorted(queue.get() for child in children)
    for child in children:
        child.join()
    ended = [child.exitcode for child in children]
    for child in children:
        child.close()
    queue.close()
    return values, ended, len(forks)

def open_files():
    return len(os.listdir("/dev/fd"))
"""
LOADER = """
import torch
from torch.utils.data import DataLoader
from lit_medseg.data.loaders import CONTEXT, start_worker

if __name__ == "__main__":
    forked(hang)
    loader = DataLoader(
        torch.arange(6), batch_size=2, num_workers=2, worker_init_fn=start_worker, multiprocessing_context=CONTEXT
    )
    print([batch.tolist() for batch in loader])
"""
SLOW = """
import torch
from torch.utils.data import DataLoader, Dataset
from lit_medseg.data.loaders import CONTEXT, start_worker

class Slow(Dataset):
    def __len__(self):
        return 9

    def __getitem__(self, index):
        if index:
            time.sleep(1000)
        return index

if __name__ == "__main__":
    loader = DataLoader(Slow(), num_workers=1, worker_init_fn=start_worker, multiprocessing_context=CONTEXT)
    batches = iter(loader)
    print(next(batches).tolist())
"""


def start(script, *arguments):
    return subprocess.Popen(
        [sys.executable, "-c", HEAD + script, *arguments],
        cwd=ROOT,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def run(script, timeout_s=60.0):
    """What a program printed, and what it warned of; it ends by itself and leaves no process behind."""
    program = start(script)
    try:
        output, errors = program.communicate(timeout=timeout_s)
        assert program.returncode == 0, errors
        assert left_of(program.pid) == []
    finally:
        end(program.pid)
    return output.strip(), errors.strip()


def left_of(session):
    """Processes of a session that live."""
    found = []
    for process in psutil.process_iter(["status"]):
        try:
            if os.getsid(process.pid) == session and process.info["status"] != psutil.STATUS_ZOMBIE:
                found.append(process.pid)
        except ProcessLookupError:
            continue
    return found


def end(session):
    for process in left_of(session):
        os.kill(process, signal.SIGKILL)


def test_children_that_start_are_forked_once_and_work():
    output, errors = run("forked(hang, faulty=0)\nsure_fork._PATIENCE_S = (60.0,)\nprint(*worked((2, 3)))")
    assert (output, errors) == ("[4, 9] [0, 0] 2", "")


def test_a_child_that_hangs_in_its_fork_is_ended_and_forked_again():
    script = "forked(hang, faulty=2)\nsure_fork._PATIENCE_S = (0.3, 0.6, 60.0)\nbefore = open_files()\n"
    output, errors = run(f"{script}print(*worked((5,)), open_files() - before)")
    assert output == "[25] [0] 3 0"
    assert errors.splitlines() == [
        f"a worker process hung in its fork ({patience} s): it was ended, and another one forked."
        for patience in ("0.3", "0.6")
    ]


def test_children_that_all_hang_end_in_an_error():
    script = "forked(hang, faulty=9)\nsure_fork._PATIENCE_S = (0.1, 0.2)\n"
    output, _ = run(f"{script}try:\n    worked((2,))\nexcept TimeoutError as error:\n    print(error)")
    assert output == "2 worker processes in a row hung in their fork"


def test_a_child_that_ends_in_its_fork_is_not_forked_again():
    script = "forked(lambda: os._exit(7))\nchild = sure_fork.SureForkContext().Process(target=hang)\n"
    output, errors = run(f"{script}child.start()\nchild.join()\nprint(child.exitcode, len(forks))")
    assert (output, errors) == ("7 1", "")


def test_a_parent_that_is_interrupted_while_it_waits_takes_the_child_along():
    script = "forked(hang)\nsure_fork._PATIENCE_S = (1000.0,)\nprint('waits', flush=True)\n"
    program = start(f"{script}sure_fork.SureForkContext().Process(target=hang).start()")
    try:
        assert program.stdout.readline() == "waits\n"
        deadline = time.monotonic() + 30
        while len(left_of(program.pid)) < 2:
            assert time.monotonic() < deadline
            time.sleep(0.02)
        program.send_signal(signal.SIGINT)
        _, errors = program.communicate(timeout=30)
        assert errors.splitlines()[-1] == "KeyboardInterrupt"
        assert left_of(program.pid) == []
    finally:
        end(program.pid)


@pytest.mark.skipif(sys.platform != "linux", reason="loaders fork on Linux alone")
def test_a_loader_whose_first_worker_hangs_gives_all_its_batches():
    output, errors = run(LOADER, timeout_s=240.0)
    assert output == "[[0, 1], [2, 3], [4, 5]]"
    assert "a worker process hung in its fork (2 s): it was ended, and another one forked." in errors


def test_a_program_ends_though_a_worker_of_its_loader_does_not():
    """Workers leave SIGTERM to their rank, and Python waits for its children when it ends."""
    process = start(SLOW)
    try:
        out, err = process.communicate(timeout=100)
        assert (process.returncode, out) == (0, "[0]\n"), err
    finally:
        end(process.pid)
