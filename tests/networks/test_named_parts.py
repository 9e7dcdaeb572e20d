import pytest
from torch import nn

from lit_medseg.errors import ConfigError
from lit_medseg.networks.named_parts import named_parts


def network():
    stages = nn.ModuleList([nn.Sequential(nn.Conv2d(1, 1, 1), nn.ReLU()) for _ in range(2)])
    encoder = nn.Sequential()
    encoder.stages = stages
    encoder.stem = nn.Conv2d(1, 1, 1)
    return nn.ModuleDict({"encoder": encoder, "head": nn.Conv2d(1, 1, 1)})


@pytest.mark.parametrize(
    ("patterns", "names"),
    [
        ([], []),
        (["head"], ["head"]),
        (["encoder.stages.*"], ["encoder.stages.0", "encoder.stages.1"]),
        (["*.stages.1", "head", "encoder.s*m"], ["encoder.stages.1", "encoder.stem", "head"]),
        (["encoder.stages.*.0"], ["encoder.stages.0.0", "encoder.stages.1.0"]),
    ],
)
def test_a_star_is_one_name_between_two_dots(patterns, names):
    assert list(named_parts(network(), patterns, "key")) == names


@pytest.mark.parametrize(
    ("pattern", "text"),
    [
        ("encodr.*", r"key: no such part of the network, expected e\.g\. \['encoder', 'head'\], got 'encodr\.\*'"),
        ("encoder.stage.*", r"e\.g\. \['encoder\.stages', 'encoder\.stem'\]"),
        ("head.weight", r"e\.g\. \['head'\]"),
        ("", "no such part"),
        ("encoder.stages", r"never called itself, .* got 'encoder\.stages'\. Name its parts: encoder\.stages\.\*\."),
    ],
)
def test_what_is_meant_otherwise_is_refused(pattern, text):
    with pytest.raises(ConfigError, match=text):
        named_parts(network(), [pattern], "key")
