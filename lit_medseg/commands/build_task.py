"""The task of one command, completed from the data or the checkpoint and seen to fit."""

from lit_medseg.commands.build_ensemble import build_ensemble
from lit_medseg.commands.check_first_step import check_first_step
from lit_medseg.commands.check_weights import check_weights
from lit_medseg.commands.complete_task import complete_task
from lit_medseg.commands.experiment_cli import ExperimentCLI
from lit_medseg.commands.find_checkpoint import Checkpoint
from lit_medseg.commands.set_up_masks import set_up_masks
from lit_medseg.data.datamodule import CaseDataModule
from lit_medseg.data.ensemble_data import EnsembleData
from lit_medseg.tasks.task import Task


def build_task(cli: ExperimentCLI, data: CaseDataModule, checkpoint: Checkpoint | None) -> Task:
    """Build the task before anything is opened or written.

    Args:
        cli: Parsed; its `model` settings are completed.
        data: Prepared.
        checkpoint: What the verb works on; None for `fit`.

    Raises:
        MedSegError: The network, its weights or its settings cannot be used, or do not fit the data.
    """
    if checkpoint is not None and isinstance(data, EnsembleData):
        task = build_ensemble(cli, data, checkpoint)
    else:
        task = complete_task(cli, data, None if checkpoint is None else checkpoint.card)
    if checkpoint is not None:
        check_weights(task, checkpoint.path)
    set_up_masks(cli, task, checkpoint)
    if cli.verb == "fit":
        check_first_step(task, data, cli.settings.trainer)
    return task
