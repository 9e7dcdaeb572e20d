"""Threads that begin one after the other may all be the first to need a library."""

import subprocess
import sys

import numpy as np
import pytest

from lit_medseg.imaging.volume import Volume
from lit_medseg.imaging.write_volume import write_volume

READ = """
import sys, threading, time
from pathlib import Path
from lit_medseg.imaging.read_volume import read_volume
failed = []
def read(number):
    time.sleep(0.004 * number)
    try:
        read_volume(Path(sys.argv[1]))
    except ImportError as error:
        failed.append(str(error))
threads = [threading.Thread(target=read, args=(number,)) for number in range(60)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
sys.exit("; ".join(failed) or 0)
"""


@pytest.mark.parametrize("ending", [".nii.gz", ".nrrd", ".h5"])
def test_no_thread_sees_a_half_imported_library(tmp_path, ending):
    path = tmp_path / f"volume{ending}"
    write_volume(path, Volume(np.zeros((1, 3, 4, 5), np.int16), (1.0, 1.0, 1.0), np.eye(4)))
    done = subprocess.run([sys.executable, "-c", READ, path], check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


FORK = """
import os, signal, threading
from lit_medseg.imaging.late_imports import LATE_IMPORTS
held = threading.Event()
def hold():
    with LATE_IMPORTS:
        held.set()
        threading.Event().wait(0.2)
holder = threading.Thread(target=hold)
holder.start()
held.wait()
child = os.fork()
if child == 0:
    signal.alarm(10)  # ends a child that waits for ever
    with LATE_IMPORTS:
        os._exit(0)
assert os.waitpid(child, 0)[1] == 0, "the child waits for the lock"
holder.join()
other = threading.Thread(target=lambda: LATE_IMPORTS.acquire() and LATE_IMPORTS.release(), daemon=True)
other.start()
other.join(10)
assert not other.is_alive(), "the parent has kept the lock"
"""


def test_a_child_forked_during_an_import_does_not_wait_for_it():
    done = subprocess.run([sys.executable, "-c", FORK], check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
