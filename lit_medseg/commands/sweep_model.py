"""Whether a variant's model can be built: known before its data are read, and without the memory that it would take."""

import warnings

import torch

from lit_medseg.cluster.blame import Blame, blame_of
from lit_medseg.commands.complete_task import instantiate_task
from lit_medseg.commands.experiment_cli import ExperimentCLI
from lit_medseg.commands.fill_from_data import fill_from_data
from lit_medseg.commands.short_lists import short_lists
from lit_medseg.data.augmentation import Augmentation
from lit_medseg.data.datamodule import CaseDataModule
from lit_medseg.data.fitted_state import FittedState
from lit_medseg.errors import ConfigError, MedSegError, expected_got
from lit_medseg.networks.dropout import add_dropout
from lit_medseg.preprocess.pipeline import Pipeline

_CHANNELS = 1
"""Stands for the channels of the images, which nobody has read yet."""


def check_model(cli: ExperimentCLI, data: CaseDataModule) -> None:
    """Build network, loss, optimizer, schedule and augmentation of one variant as `fit` would, and forget them.

    The network gets no memory where it can do without (torch's `meta` device). What may fail at run time only, memory
    above all, is not found here: such a trial is FAILED.

    Args:
        cli: Of the variant; its `model` settings are completed.
        data: Of the variant; not prepared.

    Raises:
        MedSegError: A class refuses its arguments.
    """
    augmentation = data.augmentation
    if isinstance(augmentation, Augmentation) and augmentation.specs:
        _ = augmentation.compose
    patch_size = data.training.patch_size
    spacing_mm = None if patch_size is None else (1.0,) * len(patch_size)
    target = data.truth.classes().target()
    empty = Pipeline(())
    fill_from_data(cli, FittedState(empty, empty, data.truth, target, _CHANNELS, spacing_mm), patch_size)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # weights are not copied to where there is no memory
            _build(cli)
    except Exception as error:  # a network of anybody's may fail with anything
        if blame_of(error) is Blame.MEMORY:
            return
        if isinstance(error, MedSegError):
            raise
        got = short_lists(f"{type(error).__name__}: {' '.join(str(error).split())}")[:400].rstrip(".")
        expected = "values that its classes take"
        raise ConfigError(expected_got("model", "it cannot be built", expected, got, "Correct init_args")) from error


def _build(cli: ExperimentCLI) -> None:
    """Build on the device without memory; where a class cannot do so, with memory."""
    try:
        with torch.device("meta"):
            _build_here(cli)
    except Exception:  # some compute while they are built; whether it was that, the other way tells
        _build_here(cli)


def _build_here(cli: ExperimentCLI) -> None:
    task = instantiate_task(cli)
    if cli.settings.dropout:
        add_dropout(task.network, cli.settings.dropout)
    task.make_optimizer()
