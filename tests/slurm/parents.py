"""A sweep as a job array and a cross-validation, submitted and disturbed while other tests wait for their jobs."""

import json
import threading
import traceback

from tests.crossval.spotted import settings, write_pictures
from tests.sweep.sweep_runs import experiment, sweep, write

TRIALS = 4
WAIT_S = 300.0
ENDS = ("COMPLETED", "FAILED", "CANCELLED", "TIMEOUT", "NODE_FAIL")


def held(go):
    return [{"class_path": "tests.slurm.slow_steps.HeldSteps", "init_args": {"go": go}}]


class Parents:
    """One array of two workers, of which one is killed and one told to stop; three folds whose job is requeued.

    Attributes:
        array, crossval: The jobs' numbers.
        said: What `submit` printed, by verb.
    """

    def __init__(self, jobs):
        self.jobs, self.cluster, self.folder = jobs, jobs.cluster, jobs.folder
        self.said = {}
        self._works = []
        self._faults = []

    def submit(self):
        """Submit both; the second call does nothing."""
        if self._works:
            return
        folder = self.folder
        base = experiment(epochs=3)
        base["trainer"]["callbacks"] = held("go-search")
        files = [write(folder, "phantoms.yaml", base)]
        files.append(write(folder, "search.yaml", sweep(TRIALS, experiment="phantoms.yaml")))
        folds = settings()
        folds["trainer"]["callbacks"] = held("go-cv")
        write_pictures(folder / "pictures")
        files.append(write(folder, "spotted.yaml", folds))
        (folder / "one.yaml").write_text("one: {gpus_per_node: 0, sbatch: ['--nodelist=n1']}\n")
        profile = ("--profiles", "one.yaml", "--profile", "one")
        self.array, self.said["sweep"] = self.jobs.submit("sweep", "--config", "search.yaml", "--array", 2, *profile)
        self.crossval, self.said["crossval"] = self.jobs.submit(
            "crossval", "--config", "spotted.yaml", "--folds", 3, "--ranks-per-node", 3, *profile, "--", "--name", "cv"
        )
        for file in files:
            file.unlink()  # the jobs have copies
        self._works = [threading.Thread(target=self._run, args=(one,)) for one in (self._sweep, self._crossval)]
        for work in self._works:
            work.start()

    def ended(self):
        """Wait until both have been disturbed and have ended."""
        self.submit()
        for work in self._works:
            work.join()
        assert not self._faults, "\n".join("".join(traceback.format_exception(fault)) for fault in self._faults)
        return self

    def owners(self):
        """The jobs that have worked at each trial, in the order of the attempts."""
        files = (self.folder / "runs/search/sweep/trials").glob("*/attempt-*.json")
        found = {}
        for file in sorted(files, key=lambda file: (file.parent.name, int(file.stem.split("-")[1]))):
            found.setdefault(int(file.parent.name), []).append(json.loads(file.read_text())["job"])
        return found

    def log(self, verb):
        return "".join(file.read_text(errors="replace") for file in self.folder.glob(f"runs/*/{verb}-1/slurm-*.log"))

    def _run(self, work):
        try:
            work()
        except BaseException as error:
            self._faults.append(error)

    def _sweep(self):
        tasks = [f"{self.array}_{task}" for task in (0, 1)]
        self.cluster.until(lambda: self._at_work("search") == {"trial-0000", "trial-0001"}, WAIT_S, "two trials")
        self.cluster.call("scancel", "--signal=KILL", f"{tasks[0]}.0")
        self.cluster.call("scancel", "--signal=USR1", tasks[1])
        (self.folder / "go-search").touch()
        self._until_restarted(tasks[1])
        for task in tasks:
            self.cluster.wait_for(task, ENDS, WAIT_S)

    def _crossval(self):
        self.cluster.until(lambda: "cv-fold0" in self._at_work("cv"), WAIT_S, "a fold that trains")
        self.cluster.call("scontrol", "requeue", self.crossval)
        (self.folder / "go-cv").touch()
        self._until_restarted(self.crossval)
        self.cluster.wait_for(self.crossval, ENDS, WAIT_S)

    def _at_work(self, name):
        """The runs that have done a step, and are held there."""
        return {file.name.removeprefix(f"go-{name}-") for file in self.folder.glob(f"go-{name}-*")}

    def _until_restarted(self, job):
        self.cluster.until(lambda: int(self.cluster.job(job)["Restarts"]) > 0, 90.0, f"job {job} to be requeued")
