"""The Trainer of one command, with what every run of ours needs."""

import sys
from pathlib import Path
from typing import Any

from lightning.pytorch import Callback, Trainer
from lightning.pytorch.callbacks import EarlyStopping, RichProgressBar, WeightAveraging
from lightning.pytorch.strategies import DDPStrategy, Strategy
from torch.optim.swa_utils import get_ema_multi_avg_fn

from lit_medseg.cluster.background_checkpoint_io import BackgroundCheckpointIO
from lit_medseg.cluster.exact_ddp import ExactDDP
from lit_medseg.cluster.rank_environment import rank_environment
from lit_medseg.cluster.terminate import TerminateLikeInterrupt
from lit_medseg.commands.best_checkpoint import BestCheckpoint
from lit_medseg.commands.experiment_cli import ExperimentCLI
from lit_medseg.commands.session import Session
from lit_medseg.tasks.task import Task
from lit_medseg.tracking.console_lines import ConsoleLines


def build_trainer(
    cli: ExperimentCLI, session: Session, task: Task, validates: bool, callbacks: list[Callback]
) -> Trainer:
    """Build the Trainer.

    Args:
        cli: Parsed.
        session: The run; its logger becomes the Trainer's.
        task: Names the metric that chooses the best checkpoint.
        validates: Whether there are validation cases; without them the last checkpoint is the best.
        callbacks: What keeps and records the run; stands before the user's own.

    Returns:
        A Trainer whose DDP, where several devices are asked for, is `ExactDDP`.
    """
    arguments: dict[str, Any] = dict(cli.build("trainer"))
    arguments["callbacks"] = [
        *callbacks,
        *_listed(arguments.get("callbacks")),
        TerminateLikeInterrupt(),
        *_optional(cli, task, validates),
    ]
    if cli.verb == "fit" and session.logger is not None:
        folder = Path(session.logger.log_dir) / "checkpoints"
        arguments["callbacks"].append(BestCheckpoint(folder, task.monitor if validates else None))
    interactive = sys.stderr.isatty() and sys.stdout.isatty()
    bar = interactive and arguments.get("enable_progress_bar") is not False
    arguments["enable_progress_bar"] = bar
    arguments["callbacks"].append(RichProgressBar() if bar else ConsoleLines())
    arguments["enable_model_summary"] = bool(arguments.get("enable_model_summary")) or interactive
    arguments["enable_checkpointing"] = cli.verb == "fit" and not arguments["fast_dev_run"]
    arguments["logger"] = session.logger or False
    arguments["plugins"] = [*_listed(arguments.get("plugins")), BackgroundCheckpointIO(), rank_environment()]
    arguments["default_root_dir"] = None if session.logger is None else session.logger.log_dir
    return Trainer(**{**arguments, "strategy": _strategy(arguments)})


def _strategy(arguments: dict[str, Any]) -> Any:
    """Replace Lightning's DDP by ours: also where the number of devices is found out by Lightning."""
    if isinstance(arguments["strategy"], Strategy):
        return arguments["strategy"]  # a strategy can be given to one Trainer only
    keys = ("accelerator", "devices", "num_nodes", "strategy", "precision")
    quiet = {
        "logger": False,
        "enable_checkpointing": False,
        "enable_progress_bar": False,
        "enable_model_summary": False,
        "plugins": [rank_environment()],
    }
    chosen = Trainer(**{key: arguments[key] for key in keys}, **quiet).strategy  # type: ignore[arg-type]
    if type(chosen) is not DDPStrategy:
        return arguments["strategy"]
    options = chosen._ddp_kwargs  # of `ddp_find_unused_parameters_true`
    return ExactDDP(find_unused_parameters=bool(options.get("find_unused_parameters")))


def _optional(cli: ExperimentCLI, task: Task, validates: bool) -> list[Callback]:
    """Give what single lines of the YAML ask for."""
    if cli.verb != "fit":
        return []
    asked: list[Callback] = []
    if cli.settings.ema_decay is not None:
        average = get_ema_multi_avg_fn(cli.settings.ema_decay)  # type: ignore[no-untyped-call]
        asked.append(WeightAveraging(multi_avg_fn=average))
    if cli.settings.early_stopping is not None and validates:
        asked.append(EarlyStopping(task.monitor, patience=cli.settings.early_stopping, mode="max", check_finite=False))
    return asked


def _listed(value: Any) -> list[Any]:
    if value is None:
        return []
    return list(value) if isinstance(value, list) else [value]
