"""What would stop training at its first step, found before a run is opened."""

import warnings
from typing import Any, cast

import torch
from jsonargparse import Namespace

from lit_medseg.batch import Batch
from lit_medseg.commands.check_windows import check_windows
from lit_medseg.data.datamodule import CaseDataModule
from lit_medseg.errors import ConfigError, MedSegError, expected_got
from lit_medseg.losses.deep_supervision import DeepSupervision
from lit_medseg.networks.ports import check_ports
from lit_medseg.tasks.task import Task


def check_first_step(task: Task, data: CaseDataModule, trainer: Namespace) -> None:
    """See that network, loss, optimizer and schedule take each other and the data.

    Args:
        task: On the CPU; left as it was.
        data: Prepared.
        trainer: Its settings.

    Raises:
        MedSegError: One of them refuses.
    """
    sample = data.first_sample
    image: torch.Tensor = sample["image"]
    check_ports(task.network, tuple(image.shape), data.target.channels, task.dense)
    _check_levels(task)
    check_windows(task, image.ndim - 1)
    grid = image.shape[1:] if task.dense else ()
    batch = {key: value[None] for key, value in sample.items() if isinstance(value, torch.Tensor)}
    try:
        with torch.no_grad(), warnings.catch_warnings():
            warnings.filterwarnings("error", message="Using a target size")  # broadcast, and meaningless
            task.loss(torch.zeros(1, data.target.channels, *grid), task.truth(cast("Batch", batch)))
    except MedSegError:
        raise
    except Exception as error:  # a loss of anybody's may fail with anything
        raise _fault("model.loss", "it cannot compare logits with the data's truth", error) from error
    try:
        task.make_optimizer()
    except MedSegError:
        raise
    except Exception as error:  # as may an optimizer
        raise _fault("model.optimizer or model.lr_scheduler", "it cannot be built", error) from error
    _check_interval(trainer, len(data.train_dataloader()))


def _check_levels(task: Task) -> None:
    """Refuse a network that gives several levels in training to a loss that compares one.

    Such networks (MONAI's, dynamic-network-architectures', ours) say so by an attribute; in evaluation they give one
    level, so that running them would not tell. A loss of anybody's that takes levels is known by its name.

    Raises:
        ConfigError: Deep supervision without a loss for it.
    """
    names = ("deep_supervision", "supervised")
    deep = any(getattr(part, name, None) is True for part in task.network.modules() for name in names)
    if deep and not any(DeepSupervision.__name__ in type(part).__name__ for part in task.loss.modules()):
        todo = "Wrap the loss, or set the network's deep_supervision to false"
        what = f"{type(task.network).__name__} gives several levels (deep_supervision)"
        expected = f"{DeepSupervision.__module__}.{DeepSupervision.__qualname__}"
        raise ConfigError(expected_got("model.loss", what, expected, type(task.loss).__name__, todo))


def _check_interval(trainer: Namespace, batches: int) -> None:
    """Refuse to validate after more batches than an epoch has, which Lightning would find out after the start."""
    interval = trainer.val_check_interval
    if trainer.check_val_every_n_epoch is not None and isinstance(interval, int) and interval > batches:
        todo = "Lower it, or set trainer.check_val_every_n_epoch: null to count batches over epochs"
        expected = f"at most {batches}, the batches of an epoch"
        raise ConfigError(expected_got("trainer.val_check_interval", "too large", expected, interval, todo))


def _fault(where: str, what: str, error: Exception) -> ConfigError:
    got: Any = f"{type(error).__name__}: {' '.join(str(error).split())[:300].rstrip('.')}"
    return ConfigError(expected_got(where, what, "values that its class takes", got, "Correct its init_args"))
