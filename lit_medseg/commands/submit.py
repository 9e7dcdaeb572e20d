"""`submit`: run `fit`, `crossval` or `sweep` as a Slurm job."""

import shlex
import sys
from dataclasses import replace
from pathlib import Path

from lit_medseg.cluster.batch_script import BatchJob, batch_script
from lit_medseg.cluster.sbatch import sbatch
from lit_medseg.commands.job_plan import CONFIG, JobPlan, remove_job
from lit_medseg.commands.submit_options import SubmitOptions, read_options
from lit_medseg.errors import ConfigError, expected_got
from lit_medseg.tracking.atomic_write import write_atomically
from lit_medseg.tracking.run_folder import RunFolder, create_run_folder
from lit_medseg.tracking.share_secret import share_secret

_SCRIPT = "submitted.sh"


def main(argv: list[str]) -> int:
    """Write the batch script into the run's folder, submit it, and say how to follow the job.

    The YAML is kept with the run as it is now: a job may wait for days, and the file may change meanwhile.

    Args:
        argv: The arguments after the verb.

    Returns:
        0.

    Raises:
        MedSegError: Options or YAML cannot be used, or Slurm refuses the job; no run is left behind then.
    """
    options = read_options(argv)
    plan = _plan(options)
    if plan.tracking:
        share_secret(plan.tracking)  # Slurm hands the environment on
    if options.dry:
        name = options.run or (f"{plan.config_hash[:8]}-N" if options.verb == "fit" else f"{options.verb}-N")
        print(batch_script(_job(options, plan, plan.root / plan.experiment / name)), end="")
        return 0
    folder, is_new = _folder(options, plan)
    try:
        job = _job(options, plan, folder)
        plan.freeze(folder)
        write_atomically(folder / _SCRIPT, batch_script(job))
        number = sbatch(folder / _SCRIPT)
    except BaseException:
        if is_new:
            remove_job(folder)
        raise
    _report(options, plan, job, number)
    return 0


def _plan(options: SubmitOptions) -> JobPlan:
    """Have the verb's own reading find its faults now, and not when the job starts."""
    if options.verb == "sweep":
        from lit_medseg.commands.submit_sweep import plan_sweep  # noqa: PLC0415 - each verb needs its own alone

        return plan_sweep(options)
    from lit_medseg.commands.submit_experiment import plan_crossval, plan_fit  # noqa: PLC0415 - the same

    return plan_fit(options) if options.verb == "fit" else plan_crossval(options)


def _folder(options: SubmitOptions, plan: JobPlan) -> tuple[Path, bool]:
    """Make the run's folder, or find the one of an unfinished run; tells whether it is new."""
    parent = plan.root / plan.experiment
    if options.verb != "fit":
        parent.mkdir(parents=True, exist_ok=True)
        return _next(parent, options.verb), True
    folder = RunFolder(parent / (options.run or ""))
    if options.run is None or not (folder.path / "state.json").is_file():
        folder = create_run_folder(plan.root, plan.experiment, plan.config_hash, options.run)
        folder.write(replace(folder.read(), status="SCHEDULED", attempt=0))
        return folder.path, True
    _refuse_other(folder, plan.config_hash)
    return folder.path, False


def _refuse_other(folder: RunFolder, config_hash: str) -> None:
    """Refuse to go on with a run that is finished, in work, or of another YAML."""
    state = folder.read()
    todo = "Choose another name, or leave --run out"
    if state.status == "FINISHED" or folder.is_busy(state):
        got = f"{folder.name}, which is {state.status}"
        raise ConfigError(expected_got("--run", "nothing to go on with", "a new or unfinished run", got, todo))
    if state.config_hash != config_hash:
        got = f"{config_hash[:8]} from the YAML and its arguments"
        raise ConfigError(expected_got("--run", "the run is of another YAML", state.config_hash[:8], got, todo))


def _next(parent: Path, verb: str) -> Path:
    """Make the first folder of a verb's jobs that is not there yet."""
    number = 1
    while True:
        folder = parent / f"{verb}-{number}"
        try:
            folder.mkdir()
        except FileExistsError:
            number += 1
        else:
            return folder


def _job(options: SubmitOptions, plan: JobPlan, folder: Path) -> BatchJob:
    """Describe the job."""
    named = ["--run", folder.name] if options.verb == "fit" else []
    arguments = [options.verb, "--config", str(folder / CONFIG), *named, *plan.arguments]
    return BatchJob(
        name=plan.experiment,
        folder=folder,
        home=Path.cwd(),
        arguments=arguments,
        profile=options.profile,
        python=options.profile.python or sys.executable,
        together=options.verb == "fit",
        array=options.array,
    )


def _report(options: SubmitOptions, plan: JobPlan, job: BatchJob, number: str) -> None:
    """Say what was submitted and what to do next."""
    profile = job.profile
    parts = f"{profile.devices} {'GPU' if profile.gpus_per_node else 'process'}"
    log = job.folder / job.log.replace("%j", number).replace("%A", number).replace("%a", "0")
    array = f", {options.array} workers" if options.array else ""
    print(f"submitted   job {number}: {options.verb}, nodes {profile.nodes}, each {parts}{array}")
    print(f"run         {job.folder}")
    print(f"log         {log}")
    print(f"next        squeue --jobs {number}")
    print(f"            tail -F {shlex.quote(str(log))}")
    print(f"            scancel {number}")
    if plan.follow:
        print(f"            {plan.follow}")
    print("            python -m lit_medseg ui")
