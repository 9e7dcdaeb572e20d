"""Transfer learning: start weights, frozen parts, two rates."""

import pytest
import torch
from torch import nn

from lit_medseg.errors import CheckpointError, ConfigError
from lit_medseg.tasks.parameter_groups import freeze, parameter_groups
from lit_medseg.tasks.start_weights import load_start_weights


def network(classes=2):
    return nn.ModuleDict(
        {"encoder": nn.Sequential(nn.Conv2d(1, 3, 1), nn.BatchNorm2d(3)), "head": nn.Conv2d(3, classes, 1)}
    )


def test_frozen_parts_get_no_gradient_and_are_no_parameters_of_the_optimizer():
    net = network()
    modules = freeze(net, ["encoder"])
    assert modules == [net["encoder"]]
    groups = parameter_groups(net, "encoder", 1.0, 0.1)
    assert {id(p) for p in groups[0]["params"]} == {id(p) for p in net["head"].parameters()}


def test_the_encoder_has_its_own_rate():
    net = network()
    outer, inner = parameter_groups(net, "encoder", 0.1, 0.5)
    assert inner["lr"] == pytest.approx(0.05)
    assert "lr" not in outer
    assert len(inner["params"]) == 4
    assert len(outer["params"]) == 2


@pytest.mark.parametrize("prefix", ["encodr", "", "encoder.9"])
def test_unknown_parts_are_refused(prefix):
    with pytest.raises(ConfigError, match="no such part"):
        freeze(network(), [prefix])
    with pytest.raises(ConfigError, match="no such trained part"):
        parameter_groups(network(), "backbone", 0.1, 1.0)


def test_start_weights_take_what_fits(tmp_path):
    source, target = network(2), network(5)
    state = {f"network.{name}": value + 1 for name, value in source.state_dict().items()}
    torch.save({"state_dict": state}, tmp_path / "a.ckpt")
    fresh = load_start_weights(target, str(tmp_path / "a.ckpt"))
    assert fresh == ["head.weight", "head.bias"]
    assert torch.equal(target["encoder"][0].weight, source["encoder"][0].weight + 1)


def test_useless_start_weights_are_refused(tmp_path):
    with pytest.raises(CheckpointError, match="no such checkpoint"):
        load_start_weights(network(), str(tmp_path / "none.ckpt"))
    (tmp_path / "torn.ckpt").write_bytes(b"torn")
    with pytest.raises(CheckpointError, match="torn or no checkpoint"):
        load_start_weights(network(), str(tmp_path / "torn.ckpt"))
    torch.save({"state_dict": {"network.other": torch.zeros(1)}}, tmp_path / "other.ckpt")
    with pytest.raises(CheckpointError, match="nothing in"):
        load_start_weights(network(), str(tmp_path / "other.ckpt"))
