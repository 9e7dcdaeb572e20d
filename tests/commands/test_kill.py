"""Kill -9 at random moments, and preemption: the run goes on, and is the run that was never interrupted.

`make test-kill` kills twenty times, the tests of every day three times.
"""

import os
import random
import signal
import time
from contextlib import suppress

import psutil
import pytest
import torch

from tests.commands.rank_commands import Command, on, query, run, state, until, witnessed, write_masks, write_yaml
from tests.commands.test_exact_resume import same

KILLS = int(os.environ.get("KILLS", "3"))
pytestmark = [pytest.mark.slow, pytest.mark.timeout(3600)]
EPOCHS = 6 if KILLS <= 3 else 30
PLAN = ["--trainer.max_epochs", EPOCHS, "--dropout", 0.3, "--ema_decay", 0.9, "--checkpoint_minutes", 0.002]
PLAN += ["--model.init_args.network.init_args.step_s", 0.15]
WAYS = {"one rank, two workers": (1, 2), "two ranks, a worker each": (2, 1)}


@pytest.fixture(scope="module")
def work(tmp_path_factory):
    folder = tmp_path_factory.mktemp("kill")
    write_masks(folder / "pairs", cases=30, grids=((32, 36),))
    source = {
        "class_path": "lit_medseg.catalogue.folder_pairs.FolderPairs",
        "init_args": {"root": str(folder / "pairs"), "patient_pattern": r"(p\d+)"},
    }
    training = {"patch_size": [24, 24], "foreground": 0.5}
    for name in ("undisturbed", "killed", "preempted"):
        write_yaml(folder / f"{name}.yaml", source, {"masks": {"organ": 255}}, "Segmentation", {}, training)
    return folder


def fit(work, experiment, name, way, *arguments):
    ranks, workers = WAYS[way]
    loading = ("--data.init_args.loading.workers", workers)
    return ["fit", "--config", f"{experiment}.yaml", "--run", name, *PLAN, *loading, *arguments, *on(ranks)]


def short(way):
    return "one" if WAYS[way][0] == 1 else "two"


@pytest.fixture(scope="module")
def undisturbed(work):
    """The run that nobody interrupts, on one and on two ranks, and how long it took."""
    seconds = {}
    for way in WAYS:
        start = time.monotonic()
        run(work, *fit(work, "undisturbed", short(way), way))
        seconds[way] = time.monotonic() - start
    return seconds


def metrics(work, experiment, name):
    """Every metric that measures no time, in order; no step comes twice."""
    rows = query(
        work,
        "select m.key, m.step, m.value, m.is_nan from metrics m join runs r on r.run_uuid = m.run_uuid"
        " join experiments e on e.experiment_id = r.experiment_id where e.name = ? and r.name = ? order by 1, 2",
        experiment,
        name,
    )
    kept = [row for row in rows if not row[0].startswith(("system/", "time/", "train/images_per_s"))]
    assert len({row[:2] for row in kept}) == len(kept)
    return kept


def is_the_undisturbed_one(work, experiment, name, way):
    ours, theirs = work / "runs" / experiment / name, work / "runs/undisturbed" / short(way)
    for file in ("last.ckpt", "best.ckpt"):
        mine, other = (torch.load(folder / "checkpoints" / file, weights_only=True) for folder in (ours, theirs))
        for part in ("state_dict", "current_model_state", "optimizer_states", "lr_schedulers", "global_step"):
            assert same(mine[part], other[part]), (file, part)
    assert (ours / "cases/val.csv").read_bytes() == (theirs / "cases/val.csv").read_bytes()
    assert state(work, experiment, name)["status"] == "FINISHED"
    assert query(
        work,
        "select r.status from runs r join experiments e on e.experiment_id = r.experiment_id"
        " where e.name = ? and r.name = ?",
        experiment,
        name,
    ) == [("FINISHED",)]
    assert metrics(work, experiment, name) == metrics(work, "undisturbed", short(way))
    assert not [file.name for file in (ours / "checkpoints").iterdir() if "unfinished" in file.name]


def attempts(work, name):
    return query(
        work,
        "select t.key, t.value from tags t join runs r on r.run_uuid = t.run_uuid"
        " where r.name = ? and t.key like 'attempt/%' order by 1",
        name,
    )


def _wait_for_moment(work, command, whole_s, moments):
    """Most moments lie in training, validation and writing, some while the command starts."""
    if moments.random() < 0.2:
        deadline = time.monotonic() + moments.uniform(0.1, 0.5) * whole_s
    else:
        done = len(witnessed(work, "killed", 0, "step"))
        steps = lambda: len(witnessed(work, "killed", 0, "step")) > done  # noqa: E731
        until(lambda: steps() or command.process.poll() is not None, 200.0, lambda: command.text)
        deadline = time.monotonic() + moments.uniform(0.0, 1.6)
    while time.monotonic() < deadline and command.process.poll() is None:
        time.sleep(0.01)


def _kill_machine(command, moments):
    """Every process at once, in any order."""
    living = command.living()
    moments.shuffle(living)
    for process in living:
        with suppress(psutil.NoSuchProcess):
            process.kill()


@pytest.mark.parametrize("way", WAYS)
def test_a_run_that_is_killed_again_and_again_is_the_undisturbed_one(work, undisturbed, way):
    moments, kills, runs = random.Random(f"{way} {KILLS}"), 0, 1
    while kills < KILLS:
        name = f"{short(way)}-{runs}"
        command = Command(work, *fit(work, "killed", name, way))
        _wait_for_moment(work, command, undisturbed[way], moments)
        if command.process.poll() is None:
            kills += 1
            if moments.random() < 0.5:
                command.process.kill()
            else:
                _kill_machine(command, moments)
            command.wait(20.0)
        else:  # it was faster: the next run is killed
            assert command.wait() == 0, command.text
            is_the_undisturbed_one(work, "killed", name, way)
            runs += 1
    if not _finished(work, f"{short(way)}-{runs}"):
        run(work, *fit(work, "killed", f"{short(way)}-{runs}", way))
    is_the_undisturbed_one(work, "killed", f"{short(way)}-{runs}", way)


def _finished(work, name):
    there = (work / "runs/killed" / name / "state.json").is_file()
    return there and state(work, "killed", name)["status"] == "FINISHED"


@pytest.mark.parametrize(
    ("numbers", "status"),
    # Slurm warns, and ends the job at its time limit, which may be sooner than the checkpoint is written
    [((signal.SIGTERM,), 143), ((signal.SIGUSR1, signal.SIGTERM, signal.SIGTERM), 138)],
)
def test_a_preempted_run_writes_a_checkpoint_at_its_step_and_goes_on(work, undisturbed, numbers, status):
    way, name = "two ranks, a worker each", f"by{numbers[0].name}"
    for rank in (0, 1):
        (work / f"witness-preempted/rank{rank}.jsonl").unlink(missing_ok=True)
    command = Command(work, *fit(work, "preempted", name, way, "--checkpoint_minutes", 10))
    folder = work / "runs/preempted" / name
    until(lambda: len(witnessed(work, "preempted", 0, "step")) >= 5, 200.0, lambda: command.text)
    before = {file.name for file in (folder / "checkpoints").glob("step-*")}
    asked = time.monotonic()
    ranks = command.living()
    for number in numbers:
        for process in ranks:  # a scheduler signals every process of the job
            with suppress(ProcessLookupError):
                os.kill(process.pid, number)
        time.sleep(0.05)
    assert command.wait(30.0) == status, command.text
    assert time.monotonic() - asked < 30.0
    assert {file.name for file in (folder / "checkpoints").glob("step-*")} - before
    reason = {signal.SIGTERM: "preempted (SIGTERM)", signal.SIGUSR1: "preempted (SIGUSR1: the time limit is near)"}
    assert state(work, "preempted", name)["reason"] == reason[numbers[0]]
    assert "Traceback" not in command.text
    run(work, *fit(work, "preempted", name, way, "--checkpoint_minutes", 10))
    is_the_undisturbed_one(work, "preempted", name, way)
    first, second = (text for _, text in attempts(work, name))
    assert "from the beginning; KILLED" in first
    assert second.endswith("FINISHED")
    assert "from step-" in second
