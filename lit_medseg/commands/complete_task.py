"""A task as the settings describe it, completed from the data or a checkpoint's card."""

from collections.abc import Iterator, Mapping
from typing import Any

from jsonargparse import Namespace

from lit_medseg.commands.experiment_cli import ExperimentCLI
from lit_medseg.commands.fill_from_data import fill_from_data
from lit_medseg.data.datamodule import CaseDataModule
from lit_medseg.errors import ConfigError, expected_got
from lit_medseg.losses.class_weights import fill_class_weights, wants_class_weights
from lit_medseg.networks.dropout import add_dropout
from lit_medseg.tasks.task import Task

_PRETRAINED = ("encoder_weights", "pretrained")
"""What smp and timm call weights that they download."""


def complete_task(cli: ExperimentCLI, data: CaseDataModule, card: Mapping[str, Any] | None) -> Task:
    """Build a task; nothing is loaded into it.

    Args:
        cli: Parsed; its `model` settings are completed.
        data: Its classes and numbers; prepared where there is no card.
        card: Of the checkpoint whose weights will be loaded; None for `fit`.

    Raises:
        MedSegError: The network or its settings cannot be used, or do not fit the data.
    """
    fill_from_data(cli, data.state, data.training.patch_size)
    if card is not None:
        _forget_start(cli)
    task = instantiate_task(cli)
    if task.dense != data.segments:
        expected, got = ("masks", "labels") if task.dense else ("labels", "masks")
        todo = f"Declare data.truth.{expected}, or take the other task"
        raise ConfigError(expected_got(type(task).__name__, "the data have another truth", expected, got, todo))
    if cli.settings.dropout:
        add_dropout(task.network, cli.settings.dropout)
    if wants_class_weights(task.loss):
        fill_class_weights(task.loss, data.class_weights if card is None else card["class_weights"])
    scaling = cli.build("learning_rate") if card is None and cli.settings.learning_rate is not None else None
    if scaling is not None:
        batch_size, accumulated = data.loading.batch_size, cli.settings.trainer.accumulate_grad_batches
        task.learning_rate_factor = scaling.factor(batch_size, accumulated)
    return task


def _forget_start(cli: ExperimentCLI) -> None:
    """Leave out the weights that training started from: the checkpoint's take their place."""
    model = cli.settings.model.init_args
    model.fine_tuning.start_from = None
    for arguments in _network_arguments(model.network):
        for name in _PRETRAINED:
            if arguments.get(name):
                arguments[name] = None if name == "encoder_weights" else False


def _network_arguments(network: Namespace) -> Iterator[Namespace]:
    """Give the arguments of a network, and of one that it wraps (`SlicesAsChannels`)."""
    arguments = network.get("init_args")
    if arguments is not None:
        yield arguments
        if isinstance(arguments.get("network"), Namespace):
            yield from _network_arguments(arguments.network)


def instantiate_task(cli: ExperimentCLI) -> Task:
    """Build a task of which the settings say everything.

    Args:
        cli: Parsed, and completed by `fill_from_data`.

    Raises:
        MedSegError: A class refuses its arguments, or pretrained weights cannot be downloaded.
        Exception: What else a network of anybody's raises.
    """
    try:
        task: Task = cli.build("model")
    except OSError as error:  # what the hubs of smp, timm and torch raise without a connection
        networks = _network_arguments(cli.settings.model.init_args.network)
        asked = {name: one.get(name) for one in networks for name in _PRETRAINED if one.get(name)}
        if not asked:
            raise
        text = str(error).splitlines()[0][:200]
        raise ConfigError(
            f"model.network: pretrained weights {asked} cannot be downloaded, expected a connection, got: {text}. "
            "Train from scratch (encoder_weights: null, pretrained: false), or fill the hub's cache beforehand."
        ) from error
    return task
