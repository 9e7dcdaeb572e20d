"""What a job asks Slurm for: profiles in one YAML, and what the command line changes of them."""

import difflib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

import yaml

from lit_medseg.errors import ConfigError, expected_got

_TEXTS = ("partition", "account", "qos", "constraint", "mem", "time", "python")
_LISTS = ("sbatch", "setup")
_LEAST = {"nodes": 1, "gpus_per_node": 0, "ranks_per_node": 1, "cpus_per_task": 1, "signal_s": 0}


@dataclass(frozen=True)
class SlurmProfile:
    """A job's wishes; None leaves a matter to the cluster's default.

    Attributes:
        partition: Partition, or several with commas.
        account: Account that pays.
        qos: Quality of service.
        constraint: Features that the nodes must have.
        mem: Memory a node, e.g. `64G`.
        time: Time limit, e.g. `8:00:00` or `2-00:00:00`.
        nodes: Machines.
        gpus_per_node: GPUs of each; 0 for a cluster without.
        ranks_per_node: Processes on each where there are no GPUs; with GPUs it is one a GPU.
        cpus_per_task: Processor cores of each process; set it to the loader's workers and one.
        signal_s: Seconds before the time limit at which the job is told to stop and go back into the queue.
        python: The interpreter on the nodes; default: the one that runs `submit`.
        sbatch: More options for sbatch, one each: `--exclusive`, `--reservation=school`.
        setup: Lines of bash before the start: `module load cuda`, `export NCCL_SOCKET_IFNAME=ib0`.
    """

    partition: str | None = None
    account: str | None = None
    qos: str | None = None
    constraint: str | None = None
    mem: str | None = None
    time: str | None = None
    nodes: int = 1
    gpus_per_node: int = 1
    ranks_per_node: int | None = None
    cpus_per_task: int | None = None
    signal_s: int = 120
    python: str | None = None
    sbatch: tuple[str, ...] = field(default=())
    setup: tuple[str, ...] = field(default=())

    @property
    def devices(self) -> int:
        """Ranks on each node: one a GPU, or as many processes as asked for."""
        return self.gpus_per_node or self.ranks_per_node or 1


def read_profile(path: Path, name: str | None, changes: Mapping[str, Any]) -> SlurmProfile:
    """Read one profile and change it as the command line says.

    Args:
        path: YAML of profiles: their names, each with the keys of `SlurmProfile`.
        name: Which; None for none of them, and the file is not read.
        changes: By key; those that are None change nothing.

    Raises:
        ConfigError: No such file, profile or key, or a value that cannot be meant.
    """
    keys = {} if name is None else _keys_of(path, name)
    where = "profile" if name is None else f"{path.name}: {name}"
    plain = {**keys, **{key: value for key, value in changes.items() if value is not None}}
    for key, value in plain.items():
        _check(where, key, value)
    kept: dict[str, Any] = {key: tuple(value) if key in _LISTS else value for key, value in plain.items()}
    profile = SlurmProfile(**kept)
    if profile.gpus_per_node and profile.ranks_per_node not in (None, profile.gpus_per_node):
        got, todo = f"{profile.ranks_per_node} ranks for {profile.gpus_per_node} GPUs", "Leave ranks_per_node out"
        raise ConfigError(expected_got("ranks_per_node", "not one rank a GPU", profile.gpus_per_node, got, todo))
    return profile


def _keys_of(path: Path, name: str) -> dict[str, Any]:
    """Read a file of profiles and give the one."""
    todo = "Copy experiments/slurm/profiles.yaml, or name yours with --profiles"
    try:
        profiles = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        got = (error.strerror or str(error)).lower()
        raise ConfigError(expected_got(path, "no such file of profiles", "a YAML", got, todo)) from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        got = " ".join(str(error).split())
        raise ConfigError(expected_got(path.name, "not a YAML", "names, each with keys", got, "Mend it")) from error
    if not isinstance(profiles, dict) or not all(isinstance(one or {}, dict) for one in profiles.values()):
        raise ConfigError(expected_got(path.name, "no profiles", "names, each with keys", repr(profiles)[:100], todo))
    if name not in profiles:
        near = difflib.get_close_matches(name, map(str, profiles), n=1, cutoff=0.0)
        hint = f"Did you mean {near[0]!r}" if near else "Write one"
        raise ConfigError(expected_got("--profile", "no such profile", f"one of {sorted(profiles)}", repr(name), hint))
    return dict(profiles[name] or {})


def _check(where: str, key: str, value: Any) -> None:
    """Refuse a key that does not exist and a value that cannot be meant."""
    known = [one.name for one in fields(SlurmProfile)]
    if key not in known:
        near = difflib.get_close_matches(str(key), known, n=1, cutoff=0.0)[0]
        raise ConfigError(expected_got(where, "unknown key", f"one of {known}", repr(key), f"Did you mean {near!r}"))
    if key in _TEXTS:
        # YAML reads 8:00:00 as 28800, which sbatch would take for minutes.
        good, expected = isinstance(value, str) and bool(value.strip()) and "\n" not in value, "a text, in quotes"
    elif key in _LISTS:
        good = isinstance(value, list | tuple) and all(isinstance(line, str) and "\n" not in line for line in value)
        expected = "a list of lines"
    else:
        good = isinstance(value, int) and not isinstance(value, bool) and value >= _LEAST[key]
        expected = f"a whole number from {_LEAST[key]} up"
    if not good:
        raise ConfigError(expected_got(f"{where}: {key}", "unusable value", expected, repr(value), "Correct it"))
