"""torchrun on two hosts without Slurm, which are two process groups here."""

import os
import signal
import socket
import subprocess
import sys

import pytest
import torch

from tests.commands.rank_commands import START_S, on, query, run, state, write_masks, write_yaml
from tests.own_environment import own_environment

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


def hosts(work, *arguments):
    """Run a command by one torchrun a host; gives the hosts' exit statuses and what they said."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    environment = own_environment(OMP_NUM_THREADS="1")
    started, said = [], [work / "host0.txt", work / "host1.txt"]
    for host in (0, 1):
        place = ["--nnodes=2", "--nproc-per-node=1", f"--node-rank={host}", f"--master-port={port}"]
        command = [
            sys.executable,
            "-m",
            "torch.distributed.run",
            *place,
            "--master-addr=127.0.0.1",
            "-m",
            "--",
            "lit_medseg",
        ]
        with said[host].open("wb") as file:
            streams = {"stdout": file, "stderr": file, "start_new_session": True}
            started.append(subprocess.Popen([*command, *map(str, arguments)], cwd=work, env=environment, **streams))
    try:
        statuses = [process.wait(START_S) for process in started]
    finally:
        for process in started:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
    return statuses, "\n".join(file.read_text() for file in said)


def test_two_hosts_train_as_two_ranks_of_one(tmp_path):
    write_masks(tmp_path / "pairs")
    pairs = {
        "class_path": "lit_medseg.catalogue.folder_pairs.FolderPairs",
        "init_args": {"root": str(tmp_path / "pairs"), "patient_pattern": r"(p\d+)"},
    }
    patch = {"patch_size": [24, 24], "foreground": 0.5}
    write_yaml(tmp_path / "masks.yaml", pairs, {"masks": {"organ": 255}}, "Segmentation", {"eval_batch_size": 4}, patch)
    run(tmp_path, "fit", "--config", "masks.yaml", "--run", "one", *on(2))
    cpu = ("--trainer.accelerator", "cpu", "--trainer.num_nodes", 2, "--trainer.devices", 1)
    statuses, said = hosts(tmp_path, "fit", "--config", "masks.yaml", "--run", "two", *cpu)
    assert statuses == [0, 0], said
    assert query(tmp_path, "select name, status from runs order by name") == [("one", "FINISHED"), ("two", "FINISHED")]
    assert state(tmp_path, "masks", "two")["status"] == "FINISHED"
    one, two = (
        torch.load(tmp_path / f"runs/masks/{name}/checkpoints/last.ckpt", weights_only=True)["state_dict"]
        for name in ("one", "two")
    )
    assert one.keys() == two.keys()
    assert [key for key in one if not torch.equal(one[key], two[key])] == []
    first, second = ((tmp_path / f"runs/masks/{name}/cases/val.csv").read_bytes() for name in ("one", "two"))
    assert first == second
