import pytest
from torch import nn

from lit_medseg.cluster.shard_units import shard_units
from lit_medseg.errors import ConfigError
from tests.cluster.fsdp_ranks import Net


def names(network, units):
    by_module = {module: name for name, module in network.named_modules()}
    return [by_module[unit] for unit in units]


def test_parts_are_chosen_by_size_inner_ones_first():
    network = Net(width=8)
    blocks = ["encoder.stages.0", "encoder.stages.1", "decoder.block"]
    assert names(network, shard_units(network, None, 600)) == blocks  # a block has 584 + 16 parameters
    assert names(network, shard_units(network, None, 10_000)) == []
    inner = [f"{name}.inner" for name in blocks]
    assert names(network, shard_units(network, None, 500)) == inner


def test_a_part_that_holds_another_parts_modules_is_no_unit():
    network = Net(width=8)
    chosen = names(network, shard_units(network, None, 90))
    assert "encoder.stem" in chosen
    assert "decoder" not in chosen  # its encoder is used before it
    with pytest.raises(ConfigError, match=r"belongs to another part too, .* got 'decoder'"):
        shard_units(network, ["decoder"], 1)


def test_single_layers_and_tied_weights_stay_with_what_is_around_them():
    attention = nn.TransformerEncoderLayer(16, 2, 32)
    chosen = shard_units(nn.Sequential(attention), None, 500)
    assert [type(unit) for unit in chosen] == [nn.MultiheadAttention, nn.TransformerEncoderLayer]
    first, second = nn.Sequential(nn.Linear(9, 9)), nn.Sequential(nn.Linear(9, 9))
    assert len(shard_units(nn.Sequential(first, second), None, 10)) == 2
    second[0].weight = first[0].weight
    assert shard_units(nn.Sequential(first, second), None, 10) == []


def test_named_parts_are_taken_as_they_are():
    network = Net()
    chosen = shard_units(network, ["encoder.stages.*", "encoder"], 10**9)
    assert names(network, chosen) == ["encoder.stages.1", "encoder.stages.0", "encoder"]
    with pytest.raises(ConfigError, match=r"trainer\.strategy\.init_args\.units: no such part"):
        shard_units(network, ["encodr"], 1)
