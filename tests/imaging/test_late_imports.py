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
