"""How many processes a command will be, known before anything is opened or started."""

from typing import Any

from lightning.fabric.utilities.exceptions import MisconfigurationException
from lightning.pytorch import Trainer

from lit_medseg.commands.experiment_cli import ExperimentCLI
from lit_medseg.errors import ConfigError


def count_ranks(cli: ExperimentCLI) -> int:
    """Ask Lightning what the trainer's devices come to on this machine.

    Args:
        cli: Parsed.

    Raises:
        ConfigError: The machine does not have these devices, or another setting of the trainer cannot be used.
    """
    arguments = dict(cli.build("trainer"))
    quiet: dict[str, Any] = {
        "logger": False,
        "enable_checkpointing": False,
        "enable_progress_bar": False,
        "enable_model_summary": False,
        "callbacks": None,
        "profiler": None,
    }
    try:
        return Trainer(**{**arguments, **quiet}).world_size
    except (MisconfigurationException, ValueError, TypeError, RuntimeError, ImportError) as error:
        text = " ".join(str(error).split())[:500].rstrip(".")
        asked = {key: cli.settings.trainer[key] for key in ("accelerator", "devices", "num_nodes", "strategy")}
        raise ConfigError(
            f"trainer: unusable settings, expected what Lightning and this machine have, got {asked}: {text}. "
            f"`python -m lit_medseg doctor` lists the devices."
        ) from error
