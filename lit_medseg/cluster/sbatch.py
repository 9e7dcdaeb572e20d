"""Gives a script to Slurm."""

import os
import subprocess
from pathlib import Path

from lit_medseg.errors import ConfigError, expected_got

_TIMEOUT_S = 120.0
_KEPT = ("SLURM_CONF", "SLURM_CLUSTERS")


def sbatch(script: Path) -> str:
    """Submit a batch script.

    Args:
        script: The file; options and commands both stand in it.

    Returns:
        The job's number.

    Raises:
        ConfigError: There is no sbatch, or it refuses: its own words, and Slurm has no job.
    """
    # What an allocation has told this process is not meant for the new job.
    own = {key: value for key, value in os.environ.items() if not key.startswith("SLURM_") or key in _KEPT}
    command = ["sbatch", "--parsable", str(script)]
    try:
        done = subprocess.run(
            command, env=own, capture_output=True, text=True, timeout=_TIMEOUT_S, stdin=subprocess.DEVNULL, check=False
        )
    except FileNotFoundError as error:
        todo = "Call submit where jobs are submitted, or see the script with --dry-run"
        raise ConfigError(expected_got("sbatch", "no such command", "Slurm on this machine", "none", todo)) from error
    except subprocess.TimeoutExpired as error:
        todo = "See squeue whether it took the job"
        got = f"none in {_TIMEOUT_S:.0f} s"
        raise ConfigError(expected_got("sbatch", "Slurm does not answer", "a job's number", got, todo)) from error
    number = done.stdout.strip().split(";")[0]
    if done.returncode != 0 or not number.isdecimal():
        said = " ".join((done.stderr or done.stdout).replace("sbatch: error: ", "").split()).rstrip(".")
        todo = "Change the profile or the options"
        raise ConfigError(expected_got("sbatch", "Slurm refuses the job", "its number", said or "nothing", todo))
    return number
