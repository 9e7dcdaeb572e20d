"""What the batch script makes of the ends that its ranks can come to, with ranks that do nothing else."""

import sys
import time

import pytest

from lit_medseg.cluster.batch_script import BatchJob, batch_script
from lit_medseg.cluster.slurm_profile import SlurmProfile

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]
WAIT_S = 90.0
STAND_IN = """#!/bin/bash
# In place of python: a rank that ends with a status at its first start, and well at the next; an array's first is well.
[ "$1" = -c ] && exec {python} "$@"
echo "rank $SLURM_PROCID of $SLURM_STEP_NUM_TASKS at $MASTER_ADDR:$MASTER_PORT: ${{*:4}}"
status=0
[ -z "$SLURM_RESTART_COUNT" ] && [ "$SLURM_ARRAY_TASK_ID" != 0 ] && status={status}
[ "$status" = 999 ] && sleep 60
[ "$SLURM_PROCID" = 0 ] && echo "$status" > "$3"
exit "$status"
"""


class Job:
    """One job, submitted; its folder holds its log."""

    def __init__(self, cluster, folder, status, array=0):
        self.cluster, self.folder = cluster, folder
        folder.mkdir()
        stand_in = folder / "python"
        stand_in.write_text(STAND_IN.format(python=sys.executable, status=status))
        stand_in.chmod(0o755)
        profile = SlurmProfile(nodes=1 if array else 2, gpus_per_node=0, sbatch=("--nodelist=n1,n2",) * (not array))
        arguments = ["fit", "--run", "it's $HOME"]
        job = BatchJob("job", folder, folder, arguments, profile, str(stand_in), together=not array, array=array)
        script = folder / "submitted.sh"
        script.write_text(batch_script(job))
        self.number = cluster.call("sbatch", "--parsable", script).strip()

    def end(self):
        """Wait for the end; gives the state, the number of restarts and the log."""
        state = self.cluster.wait_for(self.number, ("COMPLETED", "FAILED", "CANCELLED"), WAIT_S)
        return state, int(self.cluster.job(self.number)["Restarts"]), self.log

    @property
    def log(self):
        return "".join(file.read_text() for file in sorted(self.folder.glob("slurm-*.log")))


@pytest.fixture(scope="module")
def jobs_by_status(cluster, tmp_path_factory):
    folder = tmp_path_factory.mktemp('100% "quoted"')
    started = {status: Job(cluster, folder / f"status {status}", status) for status in (0, 1, 2, 138, 143)}
    return {**started, "array": Job(cluster, folder / "array", 138, array=2)}


@pytest.fixture(scope="module")
def ended(jobs_by_status):
    return {status: job.end() for status, job in jobs_by_status.items() if status != "array"}


@pytest.mark.parametrize(
    ("status", "state", "restarts"),
    [(0, "COMPLETED", 0), (1, "FAILED", 0), (2, "FAILED", 0), (138, "COMPLETED", 1), (143, "FAILED", 0)],
)
def test_only_a_time_limit_is_a_reason_to_queue_again(ended, status, state, restarts):
    found = ended[status]
    assert found[:2] == (state, restarts), found[2]
    assert ("the time limit is near" in found[2]) == (status == 138)


def test_ranks_meet_at_the_address_and_arguments_arrive_whole(ended):
    lines = ended[0][2].splitlines()
    places = {line.split(" at ")[1] for line in lines if "rank" in line}
    assert {line.split(": ")[1].split(" at")[0] for line in lines if "rank" in line} == {"rank 0 of 2", "rank 1 of 2"}
    [place] = places
    assert place.startswith("127.0.0.1:")
    assert place.endswith(": fit --run it's $HOME")


def test_a_worker_of_an_array_has_its_log_and_is_queued_again_alone(cluster, jobs_by_status):
    job = jobs_by_status["array"]
    names = [f"slurm-{job.number}_{task}.log" for task in (0, 1)]
    cluster.until(lambda: all((job.folder / name).is_file() for name in names), WAIT_S, f"{names}\n{job.log}")
    for number in (1, 0):  # with the second the whole array might have gone back
        cluster.until(lambda task=number: ended_as(cluster, job, task) == ("COMPLETED", str(task)), WAIT_S, job.log)


def ended_as(cluster, job, task):
    """State and restarts; the second task, whose number is the whole array's, goes back into the queue alone."""
    found = cluster.job(f"{job.number}_{task}")
    return found["JobState"], found["Restarts"]


def test_a_job_whose_first_node_dies_starts_again(cluster, tmp_path, ended):
    job = Job(cluster, tmp_path / "first", 999)
    cluster.until(lambda: "rank 0" in job.log, WAIT_S, f"the ranks\n{job.log}")
    cluster.kill_node("n1")
    time.sleep(1.0)
    cluster.start_node("n1")
    state, restarts, log = job.end()
    assert (state, restarts > 0) == ("COMPLETED", True), log


def test_a_finished_run_is_left_alone(cluster, jobs_by_status, ended):
    job = jobs_by_status[0]
    (job.folder / "state.json").write_text('{"status": "FINISHED"}')
    cluster.call("sbatch", "--parsable", job.folder / "submitted.sh")
    cluster.until(lambda: "lit_medseg: the run is finished" in job.log, WAIT_S, job.log)
    assert job.log.count("rank 0 of 2") == 1
