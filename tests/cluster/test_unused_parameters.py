"""Parameters without gradient under DDP, in a world of one rank."""

import os

import pytest
import torch
from lightning.pytorch import Trainer
from lightning.pytorch.demos.boring_classes import RandomDataset
from lightning.pytorch.strategies import DDPStrategy
from torch import distributed, nn
from torch.utils.data import DataLoader

from lit_medseg.cluster.exact_ddp import ExactDDP
from lit_medseg.cluster.unused_parameters import refuse_unused, without_gradient
from lit_medseg.commands.build_trainer import _strategy
from lit_medseg.errors import ConfigError
from tests.cluster.unused_fakes import Alternating, Partly, PartlyTrained


@pytest.fixture
def fit(tmp_path, monkeypatch):
    """Fits three steps; other processes of this machine may use the usual port."""
    before = dict(os.environ)
    monkeypatch.setenv("MASTER_PORT", "0")
    monkeypatch.setenv("MASTER_ADDR", "127.0.0.1")

    def run(task, strategy, accumulated=1):
        plain = {"logger": False, "enable_checkpointing": False, "enable_progress_bar": False}
        quiet = {**plain, "enable_model_summary": False, "default_root_dir": tmp_path, "max_steps": 3}
        quiet["accumulate_grad_batches"] = accumulated
        trainer = Trainer(accelerator="cpu", devices=1, strategy=strategy, **quiet)
        trainer.fit(task, DataLoader(RandomDataset(4, 8)))
        return trainer.global_step

    yield run
    if distributed.is_initialized():
        distributed.destroy_process_group()
    # Lightning tells a process's children their ranks by the environment, and leaves that there
    os.environ.clear()
    os.environ.update(before)


def test_the_largest_parts_without_gradient_are_named():
    network = Partly()
    network(torch.ones(1, 4)).sum().backward()
    assert without_gradient(network) == ["rest", "scale"]
    with pytest.raises(ConfigError, match=r"got none for rest, scale\. Leave these parts out"):
        refuse_unused(network)
    network.rest.requires_grad_(False)
    network.scale.requires_grad_(False)
    refuse_unused(network)


def test_everything_used_is_not_refused():
    network = nn.Linear(4, 2)
    network(torch.ones(1, 4)).sum().backward()
    assert without_gradient(network) == []
    refuse_unused(network)


def test_a_fit_stops_before_its_first_step_and_names_the_way_out(fit):
    task = PartlyTrained()
    before = task.network.used.weight.detach().clone()
    with pytest.raises(ConfigError, match="got none for rest, scale") as caught:
        fit(task, ExactDDP())
    assert torch.equal(task.network.used.weight, before)
    assert "trainer.strategy: ddp_find_unused_parameters_true" in str(caught.value)


def test_a_part_that_is_left_out_later_is_named_in_torchs_place(fit):
    with pytest.raises(ConfigError, match="got none for rest"):
        fit(PartlyTrained(leaves_out_after=1), ExactDDP())


def test_a_part_that_only_some_of_the_accumulated_batches_use_is_used(fit):
    assert fit(Alternating(), ExactDDP(), accumulated=2) == 3


@pytest.mark.parametrize("allowed", ["looked for", "frozen"])
def test_what_is_allowed_trains(fit, allowed):
    task = PartlyTrained()
    if allowed == "frozen":
        task.network.rest.requires_grad_(False)
        task.network.scale.requires_grad_(False)
    assert fit(task, ExactDDP(find_unused_parameters=allowed == "looked for")) == 3


@pytest.mark.parametrize(
    ("name", "looks"), [("ddp", False), ("auto", False), ("ddp_find_unused_parameters_true", True)]
)
def test_the_name_in_a_yaml_is_kept(name, looks):
    arguments = {"accelerator": "cpu", "devices": 2, "num_nodes": 1, "strategy": name, "precision": "32-true"}
    strategy = _strategy(arguments)
    assert isinstance(strategy, ExactDDP)
    assert isinstance(strategy, DDPStrategy)
    assert strategy._ddp_kwargs["find_unused_parameters"] is looks
