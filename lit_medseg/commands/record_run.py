"""What a command writes into its run: provenance at the start, tables and pictures on the way."""

from lightning.pytorch import Callback

from lit_medseg.commands.experiment_cli import ExperimentCLI
from lit_medseg.commands.find_checkpoint import Checkpoint
from lit_medseg.commands.session import Session
from lit_medseg.data.datamodule import CaseDataModule
from lit_medseg.tasks.task import Task
from lit_medseg.tracking.checkpoint_card import CheckpointCard


def recording_callbacks(cli: ExperimentCLI, session: Session, task: Task, data: CaseDataModule) -> list[Callback]:
    return [CheckpointCard(card_of(cli, session, task, data))]

def card_of(cli, session, task, data):
    run = {} if session.logger is None else {"experiment": session.logger.name, "name": session.logger.version, "run_id": session.logger.run_id}
    config = {**cli.resolved(), "experiment": cli.experiment}
    return {"format": 1, "task": cli.settings.model.class_path, "target": data.target.plain(), "data": data.plain(), "config": config, "run": run}

def record_start(cli: ExperimentCLI, session: Session, data: CaseDataModule, checkpoint: Checkpoint | None) -> None:
    pass

def print_page(cli, session, task):
    print(task.evaluation.scores if task.evaluation else None)
