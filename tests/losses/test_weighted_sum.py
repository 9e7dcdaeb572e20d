import pytest
import torch
from jsonargparse import ArgumentParser
from torch import nn

from lit_medseg.errors import ConfigError
from lit_medseg.losses.composite_loss import loss_and_terms
from lit_medseg.losses.cross_entropy import CrossEntropy
from lit_medseg.losses.dice import DiceLoss
from lit_medseg.losses.weighted_sum import WeightedSum


def _batch():
    return torch.randn(2, 3, 5, 5, requires_grad=True), torch.randint(3, (2, 5, 5))


def test_total_is_the_weighted_sum_and_equals_its_terms():
    logits, codes = _batch()
    loss = WeightedSum(CrossEntropy(), DiceLoss(), alpha=0.3, beta=2.0)
    expected = 0.3 * CrossEntropy()(logits, codes) + 2.0 * DiceLoss()(logits, codes)
    total, terms = loss_and_terms(loss, logits, codes)
    assert list(terms) == ["pixel", "region"]
    torch.testing.assert_close(total, expected)
    torch.testing.assert_close(loss(logits, codes), expected)
    torch.testing.assert_close(sum(terms.values()), expected.detach())
    assert total.requires_grad
    assert not any(term.requires_grad for term in terms.values())


def test_terms_are_computed_once_and_plain_losses_have_none():
    calls = []

    class Counting(DiceLoss):
        def forward(self, logits, codes):
            calls.append(1)
            return super().forward(logits, codes)

    logits, codes = _batch()
    loss_and_terms(WeightedSum(CrossEntropy(), Counting()), logits, codes)
    assert len(calls) == 1
    total, terms = loss_and_terms(CrossEntropy(), logits, codes)
    torch.testing.assert_close(total, CrossEntropy()(logits, codes))
    assert terms == {}


def test_unusable_factors_are_refused():
    for alpha, beta in ((-1.0, 1.0), (0.0, 0.0)):
        with pytest.raises(ConfigError, match="weighted sum: unusable factors"):
            WeightedSum(CrossEntropy(), DiceLoss(), alpha, beta)


def test_a_yaml_builds_it_by_class_path():
    parser = ArgumentParser(exit_on_error=False)
    parser.add_subclass_arguments(nn.Module, "loss")
    part = "lit_medseg.losses"
    config = parser.parse_object(
        {
            "loss": {
                "class_path": f"{part}.weighted_sum.WeightedSum",
                "init_args": {
                    "pixel": {
                        "class_path": f"{part}.cross_entropy.CrossEntropy",
                        "init_args": {"class_weights": "balanced"},
                    },
                    "region": {"class_path": f"{part}.tversky.TverskyLoss", "init_args": {"beta": 0.7}},
                    "beta": 0.5,
                },
            }
        }
    )
    loss = parser.instantiate(config).loss
    assert loss.pixel.class_weights.balanced
    assert loss.region.overlap.beta == 0.7
    assert loss.beta == 0.5
