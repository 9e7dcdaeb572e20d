"""The batch script of one job: a text that can be read, kept with the run, and given to sbatch again."""

import shlex
from dataclasses import dataclass
from pathlib import Path

from lit_medseg.cluster.slurm_profile import SlurmProfile

_WRAPPER = "lit_medseg.cluster.slurm_task"
_MEETING = """\
# Where the ranks meet: the first node's address, which need not be its name, and a port that is free there.
MASTER_ADDR=$(scontrol show node --oneliner "$SLURMD_NODENAME" | sed -n 's/.* NodeAddr=\\([^ ]*\\).*/\\1/p')
MASTER_PORT=$({python} -c 'import socket; s = socket.socket(); s.bind(("", 0)); print(s.getsockname()[1])')
export MASTER_ADDR="${{MASTER_ADDR:-$SLURMD_NODENAME}}" MASTER_PORT
"""
_STEP = """\
# A node that has died, or has come back after it, is no fault of the run's. BootTime is no mark: it moves by a second.
since() {{ scontrol show node --oneliner "$SLURM_JOB_NODELIST" | grep -oE 'SlurmdStartTime=[^ ]+'; }}
answer() {{ timeout 90 srun --overlap --nodes="$SLURM_JOB_NUM_NODES" --ntasks-per-node=1 true; }}
before=$(since)

# What the first rank says at its end counts: srun may wait for ever for a task whose node has died.
said={folder}/.ended-$SLURM_JOB_ID
rm -f "$said"
srun {options} \\
  {wrapper} "$said" {arguments} &
step=$!
(until [ -s "$said" ]; do sleep 1; done; sleep {patience}; kill -KILL "$step") 2>/dev/null &
watch=$!
wait "$step"
status=$?
kill "$watch" 2>/dev/null
if [ -s "$said" ]; then status=$(cat "$said"); fi
rm -f "$said"
"""
_FINISHED = """\
if grep -qs '"status": "FINISHED"' {folder}/state.json; then
  echo "lit_medseg: the run is finished"
  exit 0
fi
"""
_END = """\
# One task of an array alone: the number of the last one stands for the whole array.
job="${SLURM_ARRAY_JOB_ID:+${SLURM_ARRAY_JOB_ID}_$SLURM_ARRAY_TASK_ID}"
job="${job:-$SLURM_JOB_ID}"
again=
case $status in
  0 | 2 | 75 | 130 | 143) ;;
  138) again="the time limit is near" ;;
  *)
    after=$(since)
    if [ "${before:-$after}" != "${after:-$before}" ] || ! answer; then again="a node was lost"; fi
    ;;
esac
if [ -n "$again" ]; then
  echo "lit_medseg: $again: job $job goes back into the queue"
  scontrol requeue "$job" || true  # the first rank may have done it already
fi
exit "$status"
"""
_PATIENCE_S = 40
"""How long srun may take to end after the first rank; Slurm's KillWait is 30 s where nobody has changed it."""


@dataclass(frozen=True)
class BatchJob:
    """One job.

    Attributes:
        name: As squeue shows it: letters, digits, `.`, `_`, `-`.
        folder: Of the run; log and script lie there. Relative to `home`, or absolute.
        home: Working folder of the job.
        arguments: What follows `python -m lit_medseg`.
        profile: What it asks for.
        python: The interpreter on the nodes.
        together: True for one process a rank, started by srun; False for a parent that starts its own.
        array: As many jobs, numbered from 0; 0 for one job.
    """

    name: str
    folder: Path
    home: Path
    arguments: list[str]
    profile: SlurmProfile
    python: str
    together: bool = True
    array: int = 0

    @property
    def log(self) -> str:
        """The log's file name; `%j` stands for the job's number, `%A` and `%a` for the array's and the task's."""
        return "slurm-%A_%a.log" if self.array else "slurm-%j.log"

    @property
    def tasks_per_node(self) -> int:
        """Processes that srun starts on each node."""
        return self.profile.devices if self.together else 1


def batch_script(job: BatchJob) -> str:
    """Write the script.

    Before the time limit Slurm signals the ranks (SIGUSR1), not the script; they stop with a checkpoint, and the script
    puts the job back into the queue. So it does where a node was lost; where Slurm notices that first, it does it.

    Args:
        job: What to run.

    Returns:
        Text of a bash script with its options for sbatch.
    """
    python, folder = shlex.quote(job.python), shlex.quote(str(job.folder))
    options = "".join(f"#SBATCH {option}\n" for option in _options(job))
    setup = "".join(f"{line}\n" for line in job.profile.setup)
    step = {
        "options": " ".join(_step(job)),
        "wrapper": f"{python} -m {_WRAPPER}",
        "arguments": shlex.join(job.arguments),
        "patience": _PATIENCE_S,
    }
    parts = [
        f"#!/bin/bash\n# Written by `python -m lit_medseg submit`; again: sbatch and this file.\n{options}",
        f"{setup}export PYTHONUNBUFFERED=1\n",
        _FINISHED.format(folder=folder),
        _MEETING.format(python=python),
        _STEP.format(folder=folder, **step),
        _END,
    ]
    return "\n".join(parts)


def _options(job: BatchJob) -> list[str]:
    """List sbatch's options."""
    profile, cores = job.profile, job.profile.cpus_per_task
    pattern = str(job.folder / "x").replace("%", "%%").removesuffix("x") + job.log
    named = {
        "job-name": job.name,
        "chdir": str(job.home),
        "output": pattern,
        "partition": profile.partition,
        "account": profile.account,
        "qos": profile.qos,
        "constraint": profile.constraint,
        "time": profile.time,
        "mem": profile.mem,
        "nodes": profile.nodes,
        "ntasks-per-node": job.tasks_per_node,
        "cpus-per-task": None if cores is None else cores * profile.devices // job.tasks_per_node,
        "gpus-per-node": profile.gpus_per_node or None,
        "signal": f"USR1@{profile.signal_s}" if profile.signal_s else None,
        "array": f"0-{job.array - 1}" if job.array else None,
    }
    given = [f"--{key}={_quoted(str(value))}" for key, value in named.items() if value is not None]
    return [*given, "--open-mode=append", "--requeue", *profile.sbatch]


def _step(job: BatchJob) -> list[str]:
    """List srun's options; it does not take over the cores of a task by itself."""
    cores = ['--cpus-per-task="$SLURM_CPUS_PER_TASK"'] if job.profile.cpus_per_task else []
    counts = [f"--nodes={job.profile.nodes}", f"--ntasks-per-node={job.tasks_per_node}"]
    return [*counts, *cores, "--kill-on-bad-exit=1", "--label"] if job.together else [*counts, *cores]


def _quoted(value: str) -> str:
    """Quote a value as sbatch reads it: it is no shell."""
    if all(letter.isalnum() or letter in "/._-%:,@+=&|*()[]" for letter in value):
        return value
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
