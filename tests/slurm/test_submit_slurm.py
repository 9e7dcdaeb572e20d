"""`fit` on a real Slurm cluster: whatever happens to a job, its run is the one that was never disturbed."""

import socket
import sys
import time

import pytest
import torch

from tests.commands.rank_commands import ended_as, on, query, run, state

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]
STEPS = 20
WAIT_S = 240.0
SIZE = ("--nodes", 2, "--gpus-per-node", 0, "--ranks-per-node", 1)
DISTURBED = ("requeued", "limit", "lost")
"""`scontrol requeue`; the time limit; a node that dies."""


def underway(jobs, number):
    """Wait until a job has done some steps of its training, and has many before it."""
    what = f"steps of job {number}\n" + "".join(file.read_text() for file in jobs.folder.glob("runs/*/*/slurm-*.log"))
    jobs.cluster.until(lambda: len(jobs.steps(number)) >= 3, WAIT_S, what)
    assert jobs.steps(number)[-1]["step"] < STEPS - 6


def restarted(jobs, number):
    jobs.cluster.until(lambda: int(jobs.cluster.job(number)["Restarts"]) > 0, 90.0, f"job {number} to be requeued")
    jobs.go(number)


@pytest.fixture(scope="module")
def ended(cluster, jobs, parents):
    """All jobs at once, each disturbed in its way, and ended; gives their numbers by the run's name."""
    profiles = jobs.folder / "profiles.yaml"
    profiles.write_text("here: {sbatch: ['--nodelist=n1,n2']}\nthere: {sbatch: ['--nodelist=n1,n3']}\n")
    numbers = {}
    for name in ("plain", *DISTURBED):
        profile = ("--profiles", "profiles.yaml", "--profile", "there" if name == "lost" else "here")
        limit = ("--time", "1:00:00", "--signal-s", 60) if name == "limit" else ()
        said = jobs.submit("--config", "tiny.yaml", "--run", name, *SIZE, *profile, *limit)
        numbers[name] = said[0]
    jobs.go(numbers["plain"])
    for name in DISTURBED:
        underway(jobs, numbers[name])
    cluster.call("scontrol", "requeue", numbers["requeued"])
    cluster.call("scontrol", "update", f"JobId={numbers['limit']}", "TimeLimit=2")
    cluster.kill_node("n3")
    time.sleep(2.0)
    cluster.start_node("n3")
    parents.submit()
    for name in DISTURBED:
        restarted(jobs, numbers[name])
    cluster.call("scontrol", "update", f"JobId={numbers['limit']}", "TimeLimit=60")
    for number in numbers.values():
        cluster.wait_for(number, ("COMPLETED", "FAILED", "CANCELLED", "TIMEOUT", "NODE_FAIL"), WAIT_S)
    return numbers


@pytest.fixture(scope="module")
def undisturbed(jobs, ended):
    """The weights of the same two ranks without Slurm."""
    run(jobs.folder, "fit", "--config", "tiny.yaml", "--run", "here", *on(2))
    return weights(jobs, "here")


def weights(jobs, name):
    last = torch.load(jobs.folder / f"runs/tiny/{name}/checkpoints/last.ckpt", weights_only=True)
    assert last["global_step"] == STEPS
    return last["state_dict"]


def log(jobs, name, number):
    return (jobs.folder / f"runs/tiny/{name}/slurm-{number}.log").read_text(errors="replace")


@pytest.mark.parametrize("name", ["plain", *DISTURBED])
def test_the_weights_are_those_of_two_ranks_without_slurm(cluster, jobs, ended, undisturbed, name):
    assert cluster.job(ended[name])["JobState"] == "COMPLETED", log(jobs, name, ended[name])
    found = weights(jobs, name)
    assert found.keys() == undisturbed.keys()
    assert [key for key in found if not torch.equal(found[key], undisturbed[key])] == []


@pytest.mark.parametrize("name", ["plain", *DISTURBED])
def test_one_run_folder_and_one_mlflow_run_that_are_finished(jobs, ended, undisturbed, name):
    assert sorted(folder.name for folder in (jobs.folder / "runs/tiny").iterdir()) == sorted([*ended, "here"])
    assert state(jobs.folder, "tiny", name)["status"] == "FINISHED"
    assert ended_as(jobs.folder, name)[0] == "FINISHED"


def history(jobs, name):
    """All that MLflow has of a run's training, but for what a watch says."""
    sql = "select key, step, value from metrics join runs using (run_uuid) where name = ? order by key, step"
    rows = query(jobs.folder, sql, name)
    return [row for row in rows if row[0].startswith(("train/", "val/")) and row[0] != "train/images_per_s"]


@pytest.mark.parametrize("name", ["plain", *DISTURBED])
def test_mlflow_has_every_value_once_and_the_attempts(jobs, ended, undisturbed, name):
    assert history(jobs, name) == history(jobs, "here")
    assert len({(key, step) for key, step, _ in history(jobs, name)}) == len(history(jobs, name)) > 100
    sql = "select tags.value from tags join runs using (run_uuid) where name = ? and key like 'attempt/%' order by key"
    attempts = [attempt for (attempt,) in query(jobs.folder, sql, name)]
    assert len(attempts) == (1 if name == "plain" else 2)
    assert all(f"Slurm job {ended[name]}" in attempt for attempt in attempts)
    assert attempts[-1].endswith("; FINISHED")


@pytest.mark.parametrize("name", ["plain", *DISTURBED])
def test_each_node_has_a_rank(jobs, ended, name):
    nodes = ("n1", "n3" if name == "lost" else "n2")
    for rank, node in enumerate(nodes):
        steps = jobs.steps(ended[name], rank)
        assert {(step["node"], step["world_size"]) for step in steps} == {(node, 2)}
        assert {step["restart"] > 0 for step in steps} == ({False} if name == "plain" else {False, True})


def test_no_step_is_done_twice_where_the_job_was_told_to_stop(jobs, ended):
    for name in ("plain", "requeued", "limit"):
        assert [step["step"] for step in jobs.steps(ended[name])] == list(range(1, STEPS + 1)), name


def test_the_log_says_why_a_job_was_requeued(jobs, ended):
    assert "preempted (SIGUSR1: the time limit is near)" in log(jobs, "limit", ended["limit"])
    assert "a node was lost: job" in log(jobs, "lost", ended["lost"])
    assert "goes back into the queue" not in log(jobs, "plain", ended["plain"])


def test_a_test_on_two_nodes_gives_the_bytes_of_one_process(cluster, jobs, ended):
    table = jobs.folder / "runs/tiny/plain/cases/test.csv"
    arguments = ("test", "--config", "tiny.yaml", "--run", "plain", "--trainer.accelerator", "cpu")
    run(jobs.folder, *arguments)
    one = table.read_bytes()
    table.unlink()
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        meeting = f"--export=ALL,MASTER_ADDR=127.0.0.1,MASTER_PORT={probe.getsockname()[1]}"
    srun = ("srun", "--nodes=2", "--ntasks-per-node=1", meeting)
    task = (sys.executable, "-m", "lit_medseg.cluster.slurm_task", "/dev/null")
    nodes = ("--trainer.num_nodes", 2, "--trainer.devices", 1)
    cluster.call(*srun, *task, *arguments, *nodes, cwd=jobs.folder)
    assert table.read_bytes() == one
    assert len(one.splitlines()) > 3


def test_what_sbatch_refuses_is_shown_and_leaves_nothing(jobs, ended, capsys):
    before = sorted((jobs.folder / "runs/tiny").iterdir())
    with pytest.raises(AssertionError):
        jobs.submit("--config", "tiny.yaml", *SIZE, "--partition", "nowhere")
    said = capsys.readouterr().err
    assert said.startswith("error: sbatch: Slurm refuses the job, expected its number, got ")
    assert "invalid partition specified: nowhere" in said
    assert sorted((jobs.folder / "runs/tiny").iterdir()) == before
