"""A sweep as a job array, and a cross-validation, on a real Slurm cluster: killed, told to stop, requeued."""

import pytest

from tests.commands.rank_commands import query
from tests.slurm.parents import TRIALS
from tests.sweep.sweep_runs import mlflow_runs, repeated_metrics, study_of

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]


@pytest.fixture(scope="module")
def ended(parents):
    return parents.ended()


def test_every_trial_is_done_once(ended):
    trials = study_of(ended.folder, "search").get_trials()
    assert [trial.state.name for trial in trials] == ["COMPLETE"] * TRIALS, ended.log("sweep")
    assert [len(trial.intermediate_values) for trial in trials] == [3] * TRIALS


def test_the_trial_of_a_killed_worker_goes_to_the_other_and_each_has_worked(ended):
    killed, told = (f"{ended.array}_{task}" for task in (0, 1))
    owners = ended.owners()
    [left] = [jobs for jobs in owners.values() if jobs[0] == killed]
    assert left == [killed, told]
    assert sorted(map(len, owners.values())) == [1] * (TRIALS - 2) + [2, 2]
    assert all(set(jobs) == {told} for jobs in owners.values() if jobs is not left)
    # only a child that was killed while its worker lived counts as a death
    assert list((ended.folder / "runs/search/sweep/trials").glob("*/*.died")) == []


def test_a_worker_that_is_told_to_stop_is_queued_again_and_no_other(ended):
    killed, told = (ended.cluster.job(f"{ended.array}_{task}") for task in (0, 1))
    assert (killed["JobState"], killed["Restarts"]) == ("FAILED", "0"), ended.log("sweep")
    assert (told["JobState"], told["Restarts"]) == ("COMPLETED", "1"), ended.log("sweep")
    assert told["JobId"] == ended.array  # Slurm gives the last task the number of the array
    assert "task 0: Exited with exit code 138" in ended.log("sweep")
    outputs = [file.read_text() for file in (ended.folder / "runs/search/sweep/trials").glob("*/output.txt")]
    assert any("a checkpoint of this step is kept" in text for text in outputs)


def test_mlflow_has_one_sweep_with_its_trials_below_it(ended):
    runs = {name: (status, tags) for name, status, tags in mlflow_runs(ended.folder, "search")}
    assert len(mlflow_runs(ended.folder, "search")) == len(runs) == TRIALS + 1
    assert {status for status, _ in runs.values()} == {"FINISHED"}
    [(identity,)] = query(ended.folder, "select run_uuid from runs where name = 'search'")
    trials = [tags for name, (_, tags) in runs.items() if name != "search"]
    assert {tags["mlflow.parentRunId"] for tags in trials} == {identity}
    assert {tags["trial_state"] for tags in trials} == {"COMPLETE"}
    assert repeated_metrics(ended.folder) == []


def test_submit_says_how_to_follow_a_sweep(ended):
    said = ended.said["sweep"].splitlines()
    assert said[0] == f"submitted   job {ended.array}: sweep, nodes 1, each 1 process, 2 workers"
    assert "            python -m lit_medseg sweep status search" in said
    assert "runs/search/sweep-1/slurm-" in ended.said["sweep"]


def test_a_requeued_cross_validation_is_one_run_with_every_fold(ended):
    job = ended.cluster.job(ended.crossval)
    assert (job["JobState"], job["Restarts"]) == ("COMPLETED", "1"), ended.log("crossval")
    runs = query(ended.folder, "select name, status from runs where name like 'cv%' order by name")
    assert runs == [(name, "FINISHED") for name in ("cv", "cv-fold0", "cv-fold1", "cv-fold2")]
    folds = ended.folder / "runs/spotted/cv/folds"
    assert (folds / "fold0.log").read_text().count("] fit --config") == 2
    assert "cross-validation cv goes on" in ended.log("crossval")
    assert (ended.folder / "runs/spotted/cv/cases/oof.csv").read_text().count("\n") == 10
    assert "3 at once" in ended.log("crossval")
