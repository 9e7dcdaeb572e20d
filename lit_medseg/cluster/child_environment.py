"""The environment of a child process: its GPUs, its share of the processors, and nothing of an outer launch."""

from collections.abc import Mapping

from lit_medseg.errors import ConfigError, expected_got

_LAUNCH = (
    "RANK", "LOCAL_RANK", "WORLD_SIZE", "LOCAL_WORLD_SIZE", "GROUP_RANK", "GROUP_WORLD_SIZE", "ROLE_RANK",
    "ROLE_WORLD_SIZE", "ROLE_NAME", "NODE_RANK", "MASTER_ADDR", "MASTER_PORT",
    "SLURM_PROCID", "SLURM_LOCALID", "SLURM_NODEID", "SLURM_NTASKS", "SLURM_NPROCS", "SLURM_NTASKS_PER_NODE",
    "SLURM_TASK_PID", "SLURM_GTIDS", "SLURM_STEP_ID", "SLURM_STEPID", "SLURM_STEP_NUM_TASKS",
)  # fmt: skip
"""What torchrun and srun tell a rank: the parent may be one of several, a child starts ranks of its own."""


def child_environment(outer: Mapping[str, str], devices: tuple[int, ...], threads: int | None) -> dict[str, str]:
    """Make the environment of a child.

    Args:
        outer: This process's.
        devices: Numbers of the GPUs that it may see, as this process counts them: where `CUDA_VISIBLE_DEVICES`
            restricts this process, 0 is the first of those. None given: it sees what this process sees.
        threads: Threads of arithmetic of each of its processes; None leaves them as they are.

    Raises:
        ConfigError: This process does not see one of the devices.
    """
    environment = {
        name: value
        for name, value in outer.items()
        if name not in _LAUNCH and not name.startswith(("TORCHELASTIC_", "PMI_", "PMIX_"))
    }
    environment.setdefault("PYTHONUNBUFFERED", "1")  # a killed process leaves its last lines in the log
    if threads is not None:
        environment |= dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS"), str(threads))
    if devices:
        environment["CUDA_VISIBLE_DEVICES"] = ",".join(_names(devices, outer.get("CUDA_VISIBLE_DEVICES")))
    return environment


def listed_devices(visible: str) -> list[str]:
    """Read `CUDA_VISIBLE_DEVICES` as CUDA does.

    Args:
        visible: Numbers, or names such as `GPU-8932f937` and `MIG-...`, parted by commas.

    Returns:
        The names up to the first that cannot be one (empty, negative).
    """
    names: list[str] = []
    for name in (part.strip() for part in visible.split(",")):
        if not name or name.startswith("-"):
            break
        names.append(name)
    return names


def _names(devices: tuple[int, ...], visible: str | None) -> list[str]:
    if visible is None:
        return [str(device) for device in devices]
    names = listed_devices(visible)
    missing = [device for device in devices if not 0 <= device < len(names)]
    if missing:
        todo = "Name others, or change CUDA_VISIBLE_DEVICES"
        expected = f"0 to {len(names) - 1}" if names else "none, since CUDA_VISIBLE_DEVICES hides all"
        raise ConfigError(expected_got("--devices", "no such device", expected, missing, todo))
    return [names[device] for device in devices]
