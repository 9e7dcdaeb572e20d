"""A Slurm job before it has a folder."""

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lit_medseg.cluster.slurm_profile import SlurmProfile
from lit_medseg.tracking.atomic_write import write_atomically
from lit_medseg.tracking.without_password import without_secret

CONFIG = "submitted.yaml"
"""The verb's YAML as it was when the job was submitted, in the job's folder."""


@dataclass(frozen=True)
class JobPlan:
    """What a verb makes of the command line.

    Attributes:
        root: Folder of all run folders.
        experiment: Its name, or that of the sweep.
        arguments: Of the verb, behind its YAML.
        files: What the job needs in its folder as it is now, by relative path; `CONFIG` among them.
        config_hash: What names the run of a `fit`; empty for a parent of several.
        follow: The command that shows how it stands; empty for none of its own.
        tracking: MLflow's address that the job uses, as YAML or command line have it, with its password, which is in
            neither arguments nor files; None where they have none.
    """

    root: Path
    experiment: str
    arguments: tuple[str, ...]
    files: Mapping[str, str] = field(default_factory=dict)
    config_hash: str = ""
    follow: str = ""
    tracking: str | None = None

    def freeze(self, folder: Path) -> None:
        """Write the files; those of an earlier submission are replaced.

        Args:
            folder: Of the job.

        Raises:
            OSError: They cannot be written.
        """
        for name, text in self.files.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            write_atomically(path, text)


def without_secret_in(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Leave the password of MLflow's address out of an experiment's settings."""
    address = settings.get("tracking")
    return {**settings, "tracking": without_secret(address)} if isinstance(address, str) else {**settings}


def without_secret_among(words: Sequence[str]) -> tuple[str, ...]:
    """Leave the password of MLflow's address out of arguments: `--tracking URI` or `--tracking=URI`."""
    kept = []
    for before, word in zip(("", *words), words, strict=False):
        key, equals, address = word.partition("=") if word.startswith("--tracking=") else ("", "", word)
        kept.append(f"{key}{equals}{without_secret(address)}" if equals or before == "--tracking" else word)
    return tuple(kept)


def remove_job(folder: Path) -> None:
    """Leave nothing of a job that was not submitted, nor of an experiment that has no other run."""
    shutil.rmtree(folder, ignore_errors=True)
    try:
        folder.parent.rmdir()
    except OSError:  # it has other runs
        return


def parent_places(profile: SlurmProfile, devices: bool, workers: bool) -> list[str]:
    """Say where the children of a parent compute, as far as its user has not.

    Args:
        profile: What the job asks for.
        devices: Whether the user names devices.
        workers: Whether the user says how many work at once.

    Returns:
        Arguments of `crossval` or `sweep`: all GPUs of the node, or as many processes as it has ranks.
    """
    if profile.gpus_per_node:
        return [] if devices else ["--devices", ",".join(map(str, range(profile.gpus_per_node)))]
    return [] if workers or profile.ranks_per_node is None else ["--workers", str(profile.ranks_per_node)]
