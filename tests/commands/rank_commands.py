"""Commands on one or more ranks as a user types them: real processes, and what they leave behind."""

import json
import os
import signal
import socket
import sqlite3
import subprocess
import sys
import time
import uuid
from contextlib import closing
from pathlib import Path

import numpy as np
import psutil
import yaml

from lit_medseg.imaging.write_png import write_png
from tests.own_environment import own_environment

ROOT = Path(__file__).parents[2]
FAKES = "tests.commands.rank_fakes"
START_S = 300.0
"""Imports take ten seconds on an idle machine."""


class Command:
    """One command in its own process group; everything it starts is found again by a mark in the environment."""

    def __init__(self, work, *arguments, seat=None, start=("-m", "lit_medseg")):
        self.mark = uuid.uuid4().hex
        environment = own_environment(OMP_NUM_THREADS="1", RANKS_MARK=self.mark)
        environment |= seat or {}
        self.output = work / f"output-{self.mark}.txt"
        with self.output.open("wb") as file:
            self.process = psutil.Popen(
                [sys.executable, *map(str, start), *map(str, arguments)],
                cwd=work,
                env=environment,
                stdout=file,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    @property
    def text(self):
        return self.output.read_text(errors="replace")

    def living(self):
        found = []
        for process in psutil.process_iter():
            try:
                if process.environ().get("RANKS_MARK") == self.mark and process.status() != psutil.STATUS_ZOMBIE:
                    found.append(process)
            except (psutil.NoSuchProcess, psutil.AccessDenied, FileNotFoundError):
                continue
        return found

    def rank(self, number):
        """The process of another rank."""
        [found] = [one for one in self.living() if one.environ().get("LOCAL_RANK") == str(number) and not worker(one)]
        return found

    def wait(self, timeout_s=START_S):
        """The exit status; no process of the command may live a moment later."""
        try:
            status = self.process.wait(timeout_s)
            until(lambda: not self.living(), 5.0, lambda: f"orphans: {self.living()}\n{self.text}")
        finally:
            self.end()
        return status

    def end(self):
        for process in self.living():
            process.kill()
        self.process.wait(10)


def nodes(work, *arguments, port=None, ranks=2, own=None, last=()):
    """Start one command as a scheduler does on several machines: one rank on each, nobody's child.

    `own` gives arguments of single ranks, `last` those that follow the trainer's. The first rank starts last, so that
    the others have to wait for it.
    """
    port = port or free_port()
    trainer = ["--trainer", ROOT / "experiments/trainers/ddp.yaml", "--trainer.accelerator", "cpu"]
    trainer += ["--trainer.devices", 1, "--trainer.num_nodes", ranks]
    commands = {}
    for rank in reversed(range(ranks)):
        seat = {"RANK": rank, "NODE_RANK": rank, "LOCAL_RANK": 0, "WORLD_SIZE": ranks}
        seat |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}
        seat = {name: str(value) for name, value in seat.items()}
        commands[rank] = Command(work, *arguments, *trainer, *last, *(own or {}).get(rank, ()), seat=seat)
    return [commands[rank] for rank in range(ranks)]


def torchrun(work, *arguments, ranks=2):
    """Start one command by torchrun, as on a host without a scheduler."""
    start = ["-m", "torch.distributed.run", "--nproc-per-node", ranks, "--master-port", free_port()]
    return Command(work, *arguments, *on(ranks), start=[*start, "-m", "--", "lit_medseg"])


def free_port():
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        return held.getsockname()[1]


def worker(process):
    """Whether a process was forked by a rank to load data: its command line is its parent's."""
    parent = process.parent()
    return parent is not None and parent.cmdline() == process.cmdline()


def until(condition, timeout_s, what):
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, what()
        time.sleep(0.1)


def run(work, *arguments):
    """Run a command to its end."""
    command = Command(work, *arguments)
    status = command.wait()
    assert status == 0, command.text
    return command


def on(ranks):
    """The arguments for a number of CPU processes."""
    trainer = [] if ranks == 1 else ["--trainer", ROOT / "experiments/trainers/ddp.yaml"]
    return [*trainer, "--trainer.accelerator", "cpu", "--trainer.devices", ranks]


def write_masks(root, cases=18, grids=((40, 48), (36, 32))):
    """One gray image a patient, of several sizes, each with an organ."""
    for number in range(cases):
        rng = np.random.default_rng(number)
        grid = grids[number % len(grids)]
        mask = np.zeros(grid, np.uint8)
        row, column = rng.integers(2, 14, 2)
        mask[row : row + 16, column : column + 14] = 255
        image = rng.integers(0, 150, grid).astype(np.uint8) + mask // 3
        write_png(root / "images" / f"p{number:02}.png", image)
        write_png(root / "masks" / f"p{number:02}.png", mask)


def write_labels(root, cases=16):
    for number in range(cases):
        name = ("dark", "bright")[number % 2]
        image = np.random.default_rng(number).integers(0, 160, (24, 24)).astype(np.uint8)
        write_png(root / name / f"q{number:02}.png", image + 30 * (number % 2))


def write_yaml(path, source, truth, task, loading, training):
    """An experiment with the fakes of `rank_fakes`."""
    model = {
        "network": {
            "class_path": f"{FAKES}.TinyNetwork",
            "init_args": {"dense": task == "Segmentation"},
        },
        "loss": {"class_path": "lit_medseg.losses.cross_entropy.CrossEntropy"},
        "optimizer": {"class_path": "torch.optim.SGD", "init_args": {"lr": 0.1, "momentum": 0.9}},
    }
    data = {
        "source": source,
        "truth": truth,
        "splitter": {"class_path": "lit_medseg.catalogue.hold_out.HoldOut", "init_args": {"val": 0.2, "test": 0.4}},
        "training": training,
        "loading": {"batch_size": 4, "workers": 0, **loading},
    }
    content = {
        "trainer": {
            "max_epochs": 2,
            "callbacks": [{"class_path": f"{FAKES}.Witness", "init_args": {"folder": f"witness-{path.stem}"}}],
        },
        "model": {"class_path": f"lit_medseg.tasks.{task.lower()}.{task}Task", "init_args": model},
        "data": {"class_path": f"{FAKES}.Unaugmented", "init_args": data},
    }
    path.write_text(yaml.safe_dump(content))


def witnessed(work, name, rank, event=None):
    """What a rank saw, in order."""
    file = work / f"witness-{name}" / f"rank{rank}.jsonl"
    lines = file.read_text().splitlines() if file.is_file() else []
    seen = [json.loads(line) for line in lines if line.endswith("}")]
    return [one for one in seen if event in (None, one["event"])]


def state(work, experiment, run_name):
    return json.loads((work / "runs" / experiment / run_name / "state.json").read_text())


def query(work, sql, *values):
    with closing(sqlite3.connect(work / "mlflow.db")) as store:
        return store.execute(sql, values).fetchall()


def ended_as(work, run_name):
    """Status and reason that MLflow has."""
    [(identity, status)] = query(work, "select run_uuid, status from runs where name = ?", run_name)
    reason = query(work, "select value from tags where run_uuid = ? and key = 'end_reason'", identity)
    return status, reason[0][0] if reason else ""


INTERRUPTIONS = {
    "ctrl-c": lambda command: os.killpg(command.process.pid, signal.SIGINT),
    "sigint": lambda command: command.process.send_signal(signal.SIGINT),
    "sigterm": lambda command: command.process.send_signal(signal.SIGTERM),
    "sigterm-to-all": lambda command: os.killpg(command.process.pid, signal.SIGTERM),
}
