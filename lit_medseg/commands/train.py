"""The verbs fit, validate, test and predict."""

import logging
import os
import sys
import tempfile
import warnings
from pathlib import Path
from typing import Any

import yaml
from lightning.pytorch import Trainer
from lightning.pytorch.utilities.rank_zero import rank_zero_only

from lit_medseg.cluster.exact_ddp import ExactDDP
from lit_medseg.cluster.rank_launcher import die_with_parent
from lit_medseg.commands.build_trainer import build_trainer
from lit_medseg.commands.experiment_cli import ExperimentCLI
from lit_medseg.commands.fill_from_data import fill_from_data
from lit_medseg.commands.find_checkpoint import Checkpoint, config_of_checkpoint, find_checkpoint
from lit_medseg.commands.record_run import print_page, record_start, recording_callbacks
from lit_medseg.commands.session import Session, open_session
from lit_medseg.data.datamodule import CaseDataModule
from lit_medseg.errors import CheckpointError, MedSegError
from lit_medseg.losses.class_weights import fill_class_weights, wants_class_weights
from lit_medseg.networks.ports import check_ports
from lit_medseg.tasks.task import Task

_LOG = logging.getLogger(__name__)


def main(argv: list[str]) -> int:
    """Run one verb.

    Args:
        argv: The verb and its arguments.

    Returns:
        0, or 130 where the run was interrupted.

    Raises:
        MedSegError: The user's input cannot be used; nothing was trained.
    """
    _quieten()
    if "LOCAL_RANK" in os.environ and rank_zero_only.rank != 0:
        die_with_parent()
    cli = ExperimentCLI(_with_own_config(argv))
    checkpoint = None if cli.verb == "fit" or cli.settings.trainer.fast_dev_run else find_checkpoint(cli)
    data = _build_data(cli, checkpoint)
    fill_from_data(cli, data)
    task = _build_task(cli, data)
    session = open_session(cli, checkpoint)
    try:
        trainer = build_trainer(cli, session, task, bool(data.split.val), recording_callbacks(cli, session, data))
        _let_ranks_report(trainer, session, argv)
        record_start(cli, session, data, checkpoint)
        _run(cli.verb, trainer, task, data, _weights_of(cli, checkpoint))
    except BaseException as error:
        return _ended_early(error, session)
    session_page = print_page(cli, session, task)
    session.end("FINISHED")
    print(session_page)
    return 0
