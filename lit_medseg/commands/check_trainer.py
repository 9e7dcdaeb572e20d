"""Settings of the Trainer that cannot go together, found before a run is opened."""

from lightning.pytorch import Trainer
from lightning.pytorch.accelerators import CPUAccelerator

from lit_medseg.cluster.exact_ddp import ExactDDP
from lit_medseg.commands.experiment_cli import ExperimentCLI
from lit_medseg.errors import ConfigError, expected_got


def check_trainer(cli: ExperimentCLI, trainer: Trainer) -> None:
    """Refuse what would stop `fit` after its start.

    Args:
        cli: Parsed.
        trainer: Built from its settings.

    Raises:
        ConfigError: Averaged weights or compiling where the weights are spread over the ranks; batch norms over all
            ranks on CPUs.
    """
    if cli.verb != "fit":
        return
    if isinstance(trainer.strategy, ExactDDP) and trainer.strategy.spreads_weights:
        _check_spread(cli)
    if cli.settings.trainer.sync_batchnorm and trainer.world_size > 1:
        _check_device(trainer)


def _check_spread(cli: ExperimentCLI) -> None:
    other = "or train with --trainer experiments/trainers/ddp.yaml"
    decay = cli.settings.ema_decay
    if decay is not None:
        todo = f"Leave ema_decay out, {other}"
        raise ConfigError(expected_got("ema_decay", "ExactFSDP keeps no averaged weights", "none", decay, todo))
    if cli.settings.model.init_args.execution.compile:
        where, todo = "model.execution.compile", f"Leave compile out, {other}"
        raise ConfigError(expected_got(where, "ExactFSDP gathers weights between the layers", False, True, todo))


def _check_device(trainer: Trainer) -> None:
    if isinstance(trainer.accelerator, CPUAccelerator):
        todo = "Leave it out: each process then normalises with its own samples"
        raise ConfigError(
            expected_got("trainer.sync_batchnorm", "torch has it for GPUs alone", "GPUs", "processes on the CPU", todo)
        )
