"""What holds for every loss: the contract suite."""

import pytest
import torch

from lit_medseg.losses.cross_entropy import CrossEntropy
from lit_medseg.losses.dice import DiceLoss
from lit_medseg.losses.focal import FocalLoss
from lit_medseg.losses.jaccard import JaccardLoss
from lit_medseg.losses.tversky import TverskyLoss
from lit_medseg.losses.weighted_sum import WeightedSum
from lit_medseg.target import Binary, MultiClass, MultiLabel

LOSSES = [
    CrossEntropy(),
    CrossEntropy(label_smoothing=0.1),
    DiceLoss(),
    DiceLoss(include_background=True),
    JaccardLoss(),
    FocalLoss(),
    FocalLoss(gamma=0.5),
    TverskyLoss(0.3, 0.7),
    TverskyLoss(0.3, 0.7, gamma=0.75),
    WeightedSum(CrossEntropy(), DiceLoss(), 1.0, 0.5),
    WeightedSum(FocalLoss(), TverskyLoss(gamma=2.0)),
]
TARGETS = [Binary(("background", "a")), MultiClass(("background", "a", "b")), MultiLabel(("a", "b", "c"))]
every_loss = pytest.mark.parametrize("loss", LOSSES, ids=lambda loss: type(loss).__name__)
every_target = pytest.mark.parametrize("target", TARGETS, ids=lambda target: type(target).__name__)


def _batch(target, samples=3, grid=(9, 11), seed=0, dtype=torch.float32):
    generator = torch.Generator().manual_seed(seed)
    logits = torch.randn(samples, target.channels, *grid, generator=generator, dtype=dtype).requires_grad_()
    return logits, target.decide(torch.rand(samples, target.channels, *grid, generator=generator))


@every_target
@every_loss
@pytest.mark.parametrize("grid", [(9, 11), (1, 1), (3, 4, 5)])
def test_batch_is_the_mean_of_its_samples(loss, target, grid):
    logits, codes = _batch(target, grid=grid, dtype=torch.float64)
    whole = loss(logits, codes)
    (slope,) = torch.autograd.grad(whole, logits)
    alone = torch.stack([loss(logits[i : i + 1], codes[i : i + 1]) for i in range(len(logits))]).mean()
    (slope_alone,) = torch.autograd.grad(alone, logits)
    torch.testing.assert_close(whole, alone, rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(slope, slope_alone, rtol=1e-9, atol=1e-12)


@every_target
def test_class_weights_do_not_mix_samples(target):
    logits, codes = _batch(target, dtype=torch.float64)
    weights = [0.2, 2.8] if target.channels == 1 else [0.2, 0.8, 2.0]
    for loss in (CrossEntropy(weights), FocalLoss(class_weights=weights)):
        alone = torch.stack([loss(logits[i : i + 1], codes[i : i + 1]) for i in range(len(logits))]).mean()
        torch.testing.assert_close(loss(logits, codes), alone, rtol=1e-12, atol=1e-12)


@every_target
@every_loss
@pytest.mark.parametrize("scale", [0.0, 1.0, 50.0, 1e4])
@pytest.mark.parametrize("content", ["empty", "full", "right"])
def test_finite_value_and_gradient(loss, target, scale, content):
    logits, codes = _batch(target)
    logits = (scale * logits.detach()).requires_grad_()
    codes = {
        "empty": torch.zeros_like(codes),
        "full": torch.full_like(codes, codes.max()),
        "right": target.decide(target.probabilities(logits.detach())),
    }[content]
    value = loss(logits, codes)
    value.backward()
    assert torch.isfinite(value)
    assert value > -1e-6
    assert torch.isfinite(logits.grad).all()


@every_target
@every_loss
def test_learns_the_reference(loss, target):
    logits, codes = _batch(target, grid=(6, 6))
    optimizer = torch.optim.Adam([logits], lr=0.3)
    first = loss(logits, codes).item()
    for _ in range(60):
        optimizer.zero_grad()
        last = loss(logits, codes)
        last.backward()
        optimizer.step()
    assert last.item() < first
    assert (target.decide(target.probabilities(logits)) == codes).float().mean() > 0.98


@every_target
@every_loss
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_is_computed_in_float32(loss, target, dtype):
    logits, codes = _batch(target, samples=1, grid=(300, 300))
    half = logits.detach().to(dtype).requires_grad_()
    with torch.autocast("cpu", dtype=dtype):
        value = loss(half, codes)
    assert value.dtype == torch.float32
    torch.testing.assert_close(value, loss(half.detach().float(), codes), rtol=1e-6, atol=1e-6)
    value.backward()
    assert torch.isfinite(half.grad).all()


@every_target
@every_loss
def test_classification_and_channels_last(loss, target):
    logits, codes = _batch(target, samples=6, grid=())
    value = loss(logits, codes)
    value.backward()
    assert value.shape == ()
    assert torch.isfinite(logits.grad).all()
    logits, codes = _batch(target)
    last = logits.detach().to(memory_format=torch.channels_last)
    torch.testing.assert_close(loss(last, codes), loss(logits, codes))


@every_target
@pytest.mark.parametrize("loss", [CrossEntropy(), FocalLoss(gamma=1.5), DiceLoss(), TverskyLoss(0.3, 0.7, gamma=0.75)])
def test_gradient_by_finite_differences(loss, target):
    logits, codes = _batch(target, samples=2, grid=(3, 3), dtype=torch.float64)
    assert torch.autograd.gradcheck(lambda values: loss(values, codes), (logits,))
