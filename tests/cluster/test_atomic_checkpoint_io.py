"""A checkpoint is whole or not there."""

import os
import signal
import subprocess
import sys
import time

import pytest
import torch

from lit_medseg.cluster.atomic_checkpoint_io import AtomicCheckpointIO


def test_an_error_while_writing_leaves_the_earlier_file(tmp_path):
    path = tmp_path / "best.ckpt"
    writer = AtomicCheckpointIO()
    writer.save_checkpoint({"state_dict": {"a": torch.ones(3)}}, path)
    with pytest.raises(Exception, match="pickle"):
        writer.save_checkpoint({"state_dict": {"a": torch.zeros(3)}, "bad": lambda: None}, path)
    assert torch.load(path, weights_only=True)["state_dict"]["a"].tolist() == [1, 1, 1]
    assert [file.name for file in tmp_path.iterdir()] == ["best.ckpt"]


@pytest.mark.skipif(not os.access("/dev/full", os.W_OK), reason="no /dev/full on this system")
def test_a_full_disk_leaves_the_earlier_file(tmp_path, monkeypatch):
    path = tmp_path / "best.ckpt"
    writer = AtomicCheckpointIO()
    writer.save_checkpoint({"a": torch.ones(3)}, path)
    # the real error of a full disk, from the kernel: the unfinished file is a link to /dev/full
    (tmp_path / f".best.ckpt.{os.getpid()}.unfinished").symlink_to("/dev/full")
    with pytest.raises((OSError, RuntimeError)):
        writer.save_checkpoint({"a": torch.zeros(300_000)}, path)
    assert torch.load(path, weights_only=True)["a"].tolist() == [1, 1, 1]


def test_a_kill_while_writing_leaves_a_whole_file(tmp_path):
    path = tmp_path / "best.ckpt"
    script = (
        "import sys, torch\n"
        "from lit_medseg.cluster.atomic_checkpoint_io import AtomicCheckpointIO\n"
        "n = 0\n"
        "while True:\n"
        "    n += 1\n"
        "    AtomicCheckpointIO().save_checkpoint({'n': torch.full((2_000_000,), n)}, sys.argv[1])\n"
    )
    process = subprocess.Popen([sys.executable, "-c", script, str(path)])
    deadline = time.monotonic() + 60
    while not path.exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    time.sleep(0.37)
    process.send_signal(signal.SIGKILL)
    process.wait()
    values = torch.load(path, weights_only=True)["n"]
    assert len(values) == 2_000_000
    assert values.min() == values.max()
