"""How many processes a command will be, known before anything is opened or started."""

from typing import Any

from lightning.fabric.utilities.exceptions import MisconfigurationException
from lightning.pytorch import Trainer

from lit_medseg.cluster.rank_environment import rank_environment
from lit_medseg.cluster.rank_seat import RankSeat, seat_of
from lit_medseg.commands.check_trainer import check_trainer
from lit_medseg.commands.experiment_cli import ExperimentCLI
from lit_medseg.errors import ConfigError


def count_ranks(cli: ExperimentCLI) -> int:
    """Ask Lightning what the trainer's devices come to, on all machines.

    Args:
        cli: Parsed.

    Raises:
        ConfigError: The machine does not have these devices, or settings of the trainer cannot be used.
    """
    trainer = _trainer(cli)
    check_trainer(cli, trainer)
    return trainer.world_size


def find_seat(cli: ExperimentCLI) -> RankSeat | None:
    """Ask Lightning which of several ranks this process is.

    Args:
        cli: Parsed.

    Returns:
        The place; None where the process is alone, or will start the others itself.

    Raises:
        ConfigError: See `count_ranks`.
        ClusterError: Nobody said where the ranks meet.
    """
    trainer = _trainer(cli)
    environment = getattr(trainer.strategy, "cluster_environment", None)
    if trainer.world_size == 1 or environment is None or not environment.creates_processes_externally:
        return None
    return seat_of(environment, trainer.global_rank, trainer.world_size)


def _trainer(cli: ExperimentCLI) -> Trainer:
    """Build a Trainer of which nothing is used but what Lightning found out."""
    arguments = dict(cli.build("trainer"))
    quiet: dict[str, Any] = {
        "logger": False,
        "enable_checkpointing": False,
        "enable_progress_bar": False,
        "enable_model_summary": False,
        "callbacks": None,
        "profiler": None,
        "plugins": [rank_environment()],
    }
    try:
        return Trainer(**{**arguments, **quiet})
    except (MisconfigurationException, ValueError, TypeError, RuntimeError, ImportError) as error:
        text = " ".join(str(error).split())[:500].rstrip(".")
        asked = {key: cli.settings.trainer[key] for key in ("accelerator", "devices", "num_nodes", "strategy")}
        raise ConfigError(
            f"trainer: unusable settings, expected what Lightning and this machine have, got {asked}: {text}. "
            f"`python -m lit_medseg doctor` lists the devices."
        ) from error
