"""What an error is to be blamed on."""

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from lightning.fabric.utilities.exceptions import MisconfigurationException
from torch.utils.data import DataLoader, Dataset

from lit_medseg.cluster.blame import Blame, blame_of
from lit_medseg.cluster.rank_failure import failure_of
from lit_medseg.errors import CheckpointError, ClusterError, ConfigError, TrackingError
from tests.own_environment import own_environment


def raised(act):
    with pytest.raises(BaseException) as found:  # noqa: PT011 (any error is classified)
        act()
    return found.value


def wrapped(error, kind):
    def act():
        try:
            raise error
        except type(error) as inner:
            raise kind("in our words") from inner

    return raised(act)


def full_disk():
    with Path("/dev/full").open("wb", buffering=0) as file:
        file.write(b"x")


def full_disk_of_torch():
    with Path("/dev/full").open("wb") as file:
        torch.save({"weights": torch.zeros(100_000)}, file)


class Doomed(Dataset):
    """Its loader's worker ends without a word, or with the error of this number."""

    def __init__(self, number):
        self.number = number

    def __len__(self):
        return 2

    def __getitem__(self, index):
        if self.number is None:
            os.kill(os.getpid(), 9)
        raise OSError(self.number, os.strerror(self.number))


def load(number):
    return lambda: list(DataLoader(Doomed(number), num_workers=1))


def test_real_errors():
    assert blame_of(raised(full_disk)) is Blame.DISK
    assert blame_of(raised(full_disk_of_torch)) is Blame.DISK
    assert blame_of(raised(lambda: torch.empty(2**60, dtype=torch.uint8))) is Blame.MEMORY
    assert blame_of(raised(lambda: bytearray(2**60))) is Blame.MEMORY
    assert blame_of(torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB")) is Blame.MEMORY
    assert blame_of(raised(load(None))) is Blame.LOST
    for number, blame in ((errno.ENOSPC, Blame.DISK), (errno.EIO, Blame.AROUND), (errno.ENOENT, Blame.SETTINGS)):
        assert blame_of(raised(load(number))) is blame


def test_an_error_within_another_counts_more_than_its_words():
    full = OSError(errno.ENOSPC, "full")
    assert blame_of(wrapped(full, TrackingError)) is Blame.DISK
    assert blame_of(wrapped(full, CheckpointError)) is Blame.DISK
    assert blame_of(wrapped(MemoryError(), ConfigError)) is Blame.MEMORY
    assert blame_of(wrapped(OSError(errno.ENOENT, "no such file"), ConfigError)) is Blame.SETTINGS


def test_what_settings_cannot_help():
    assert blame_of(TrackingError("it does not answer")) is Blame.AROUND
    assert blame_of(ClusterError("other code")) is Blame.AROUND
    assert blame_of(wrapped(TrackingError("unreadable"), ConfigError)) is Blame.SETTINGS
    assert blame_of(OSError(errno.ESTALE, "stale handle")) is Blame.AROUND
    assert blame_of(OSError("OSError: [Errno 116] Stale file handle: 'a.nii.gz'")) is Blame.AROUND
    assert blame_of(MisconfigurationException("`CUDAAccelerator` can not run on your system since")) is Blame.AROUND
    assert blame_of(MisconfigurationException("`precision=3` is not supported")) is Blame.SETTINGS
    assert blame_of(ValueError("No space left on device")) is Blame.SETTINGS  # a text alone says nothing
    assert blame_of(ConfigError("an option called out of memory")) is Blame.SETTINGS


@pytest.mark.parametrize(
    ("said", "blame"),
    [
        ("CUDA error: CUDA-capable device(s) is/are busy or unavailable", Blame.AROUND),
        ("No CUDA GPUs are available: no CUDA-capable device is detected", Blame.AROUND),
        ("CUDA error: uncorrectable ECC error encountered", Blame.AROUND),
        ("Found no NVIDIA driver on your system.", Blame.AROUND),
        ("The NVIDIA driver on your system is too old (found version 11040).", Blame.AROUND),
        ("CUDA error: initialization error", Blame.AROUND),
        ("CUDA driver initialization failed, you might not have a CUDA gpu.", Blame.AROUND),
        ("weight initialization error: no such layer", Blame.SETTINGS),
        ("NCCL error: ncclUnhandledCudaError\nLast error:\nCuda failure 2 'out of memory'", Blame.MEMORY),
        ("NCCL error: ncclUnhandledCudaError\nLast error:\nFailed to CUDA calloc 8388608 bytes", Blame.MEMORY),
        ("CUDA error: device-side assert triggered", Blame.SETTINGS),
        ("CUDA error: out of memory", Blame.MEMORY),
    ],
)
def test_a_broken_gpu_is_no_fault_of_the_settings(said, blame):
    assert blame_of(RuntimeError(said)) is blame
    assert blame_of(torch.AcceleratorError(said)) is blame
    assert blame_of(torch.distributed.DistBackendError(said)) is blame


def test_a_rank_whose_connection_broke_was_not_at_fault():
    failure = failure_of(RuntimeError("[gloo/transport/tcp/pair.cc:553] Connection closed by peer"), 1, "host")
    assert failure.felt
    assert failure.blame is Blame.LOST
    assert failure_of(RuntimeError("[Errno 104] TCPStore of rank 0"), 1, "host").felt
    assert failure_of(ArithmeticError("7"), 1, "host").blame is Blame.SETTINGS
    assert not failure_of(RuntimeError("the weights cannot be restored"), 1, "host").felt


def test_a_fit_with_a_parent_says_by_its_exit_status_what_kept_it_from_beginning(tmp_path):
    """Without a parent the same is the user's fault, or a traceback."""
    arguments = ["fit", "--config", "none.yaml"]
    code = (
        "import sys\n"
        "from lit_medseg import main\n"
        "from lit_medseg.errors import TrackingError\n"
        "class Verb:\n"
        "    def main(self, argv): raise {}\n"
        "sys.modules[main.TRAIN] = Verb()\n"
        "sys.exit(main.main(sys.argv[1:]))\n"
    )
    for error, alone, told in (("TrackingError('away')", 2, 69), ("OSError(28, 'full')", 1, 74), ("OSError(2)", 1, 1)):
        for parent, status in (([], alone), (["--parent_pid", "1"], told), (["--parent_pid=1"], told)):
            command = [sys.executable, "-c", code.format(error), *arguments, *parent]
            found = subprocess.run(
                command, env=own_environment(), capture_output=True, text=True, timeout=60, check=False
            )
            assert found.returncode == status, found.stderr
            assert ("Traceback" in found.stderr) == (alone == 1)


def test_errors_that_were_raised_from_each_other_in_a_ring_are_read_once():
    first, second = ValueError("a"), MemoryError("b")
    first.__cause__, second.__cause__ = second, first
    assert blame_of(first) is Blame.MEMORY
