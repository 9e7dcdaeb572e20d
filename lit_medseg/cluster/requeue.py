"""Back into the scheduler's queue."""

import logging
import os
import subprocess

_LOG = logging.getLogger(__name__)


def requeue() -> None:
    """Ask Slurm to start this job again; nothing outside of Slurm.

    Slurm ends the processes of the job that it requeues: everything has to be written before. A job that is preempted,
    or whose node dies, is requeued by Slurm itself; one at its time limit is not.
    """
    job = os.environ.get("SLURM_JOB_ID")
    if job is None:
        return
    if "SLURM_ARRAY_JOB_ID" in os.environ:
        job = f"{os.environ['SLURM_ARRAY_JOB_ID']}_{os.environ['SLURM_ARRAY_TASK_ID']}"
    try:
        subprocess.run(["scontrol", "requeue", job], check=True, capture_output=True, text=True, timeout=30)
    except (OSError, subprocess.SubprocessError) as error:
        text = (getattr(error, "stderr", None) or str(error)).strip()
        _LOG.error("job %s was not requeued (%s): submit it again, it goes on where it stopped.", job, text)
