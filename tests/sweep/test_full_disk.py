"""A full disk ends a sweep in order; with room again it goes on."""

import errno
import os
import subprocess
from contextlib import contextmanager

import pytest

from lit_medseg.sweep.full_disk import is_full
from tests.commands.rank_commands import Command, until
from tests.sweep.sweep_runs import (
    experiment,
    mlflow_runs,
    prepare,
    recorded,
    repeated_metrics,
    run_sweep,
    study_of,
    sweep,
)


@contextmanager
def small_disk(folder):
    """A disk of 24 MiB; tells whether mounts are allowed here."""
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=24m", "tmpfs", folder]
    made = subprocess.run(mount, check=False, capture_output=True).returncode == 0
    try:
        yield made
    finally:
        if made:
            subprocess.run(["umount", "--lazy", folder], check=True)


def fill(file):
    """Write until nothing more can be written."""
    with pytest.raises(OSError, match=os.strerror(errno.ENOSPC)):
        file.write_bytes(bytes(64 << 20))


@pytest.mark.slow
def test_a_full_disk_ends_the_sweep_in_order_and_with_room_it_goes_on(tmp_path):
    """The disk fills while the first trial trains: not even its last words can be written."""
    config = prepare(tmp_path, experiment(epochs=3, step_s=0.3), sweep(1)).name
    disk = tmp_path / "runs"
    trial = disk / "search" / "trial-0000"
    with small_disk(disk) as made:
        if not made:
            return  # mounts are not allowed here: the journal under RLIMIT_FSIZE in test_journal.py has to do
        assert not is_full(disk)
        command = Command(tmp_path, "sweep", "--config", config)
        until(lambda: has_dice(trial) or not command.living(), 200.0, lambda: command.text)
        fill(disk / "filler")
        assert is_full(disk)
        assert command.wait() == 1
        assert "error: the disk is full" in command.text
        assert "Traceback" not in command.text
        refused = run_sweep(tmp_path, "--config", config, "--resume", status=2)
        assert "its folder cannot be written, expected a MiB of room, got a full disk" in refused
        (disk / "filler").unlink()
        run_sweep(tmp_path, "--config", config, "--resume")
        assert [one.state.name for one in study_of(tmp_path, "search").get_trials()] == ["COMPLETE"]
    runs = {name: (status, tags) for name, status, tags in mlflow_runs(tmp_path, "search")}
    assert {name: status for name, (status, _) in runs.items()} == {"search": "FINISHED", "trial-0000": "FINISHED"}
    assert runs["trial-0000"][1]["trial_state"] == "COMPLETE"
    assert repeated_metrics(tmp_path) == []


def has_dice(trial):
    return (trial / "records.jsonl").is_file() and recorded(trial, "val/dice")
