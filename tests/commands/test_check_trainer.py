from pathlib import Path

import pytest

from lit_medseg.commands.count_ranks import count_ranks
from lit_medseg.commands.experiment_cli import ExperimentCLI
from lit_medseg.errors import ConfigError

EXPERIMENTS = Path(__file__).parents[2] / "experiments"
ON_TWO = ["--config", str(EXPERIMENTS / "quickstart.yaml"), "--trainer.accelerator", "cpu", "--trainer.devices", "2"]


def ranks(verb, preset, *arguments):
    trainer = ["--trainer", str(EXPERIMENTS / "trainers" / f"{preset}.yaml")]
    return count_ranks(ExperimentCLI([verb, *ON_TWO[:2], *trainer, *ON_TWO[2:], *arguments]))


def test_averaged_weights_and_compiling_are_refused_where_weights_are_spread():
    with pytest.raises(ConfigError, match=r"ema_decay: ExactFSDP keeps no averaged weights, expected none, got 0\.98"):
        ranks("fit", "fsdp")
    assert ranks("fit", "fsdp", "--ema_decay", "null") == 2
    compiled = ["--ema_decay", "null", "--model.init_args.execution.compile", "true"]
    with pytest.raises(ConfigError, match=r"model\.execution\.compile: ExactFSDP gathers weights between the layers"):
        ranks("fit", "fsdp", *compiled)
    assert ranks("test", "fsdp") == 2  # nothing is spread
    assert ranks("fit", "ddp") == 2


def test_batch_norms_over_ranks_are_refused_on_cpus():
    synced = ["--trainer.sync_batchnorm", "true"]
    with pytest.raises(ConfigError, match=r"trainer\.sync_batchnorm: torch has it for GPUs alone"):
        ranks("fit", "ddp", *synced)
    assert ranks("fit", "ddp", *synced, "--trainer.devices", "1") == 1
    assert ranks("test", "ddp", *synced) == 2
