"""Dice, Jaccard and Tversky against MONAI and segmentation_models_pytorch, value and gradient."""

import pytest
import torch
from monai.losses import DiceLoss as MonaiDice
from monai.losses import TverskyLoss as MonaiTversky
from segmentation_models_pytorch import losses as smp

from lit_medseg.errors import ConfigError
from lit_medseg.losses.dice import DiceLoss
from lit_medseg.losses.jaccard import JaccardLoss
from lit_medseg.losses.tversky import TverskyLoss

CODINGS = {"binary": 1, "multiclass": 4, "multilabel": 3}
SMOOTH = 0.1
coding = pytest.mark.parametrize("mode", CODINGS)


def _batch(mode, samples=3, grid=(7, 9)):
    generator = torch.Generator().manual_seed(1)
    channels = CODINGS[mode]
    shape = (samples, channels, *grid) if mode == "multilabel" else (samples, *grid)
    codes = torch.randint(4 if mode == "multiclass" else 2, shape, generator=generator)
    return torch.randn(samples, channels, *grid, generator=generator).requires_grad_(), codes


def _same(ours, reference, logits):
    (slope,) = torch.autograd.grad(ours, logits)
    (expected_slope,) = torch.autograd.grad(reference, logits)
    torch.testing.assert_close(ours, reference, rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(slope, expected_slope, rtol=1e-4, atol=1e-7)


def _monai(mode, background):
    return {
        "sigmoid": mode != "multiclass",
        "softmax": mode == "multiclass",
        "to_onehot_y": mode == "multiclass",
        # It would drop the first of the overlapping classes, and warn about the only channel of a binary target.
        "include_background": background or mode != "multiclass",
    }


def _monai_codes(mode, codes):
    return codes if mode == "multilabel" else codes.unsqueeze(1)


@coding
@pytest.mark.parametrize("background", [True, False])
@pytest.mark.parametrize("per_sample", [True, False])
@pytest.mark.parametrize("grid", [(7, 9), (3, 4, 5)])
def test_agrees_with_monai(mode, background, per_sample, grid):
    logits, codes = _batch(mode, grid=grid)
    same = {"smooth_nr": SMOOTH, "smooth_dr": SMOOTH, "batch": not per_sample, **_monai(mode, background)}
    theirs = _monai_codes(mode, codes)
    ours = {"include_background": background, "smooth": SMOOTH, "per_sample": per_sample}
    _same(DiceLoss(**ours)(logits, codes), MonaiDice(**same)(logits, theirs), logits)
    tversky = MonaiTversky(alpha=0.3, beta=0.7, **same)
    _same(TverskyLoss(0.3, 0.7, **ours)(logits, codes), tversky(logits, theirs), logits)
    doubled = {**same, "smooth_nr": 2 * SMOOTH, "smooth_dr": 2 * SMOOTH}
    _same(JaccardLoss(**ours)(logits, codes), MonaiDice(jaccard=True, **doubled)(logits, theirs), logits)


@coding
@pytest.mark.parametrize("background", [True, False])
def test_agrees_with_smp_over_the_batch(mode, background):
    logits, codes = _batch(mode)
    classes = [1, 2, 3] if mode == "multiclass" and not background else None
    same = {"mode": mode, "classes": classes, "smooth": SMOOTH}
    ours = {"include_background": background, "smooth": SMOOTH, "per_sample": False}
    _same(
        DiceLoss(background, 2 * SMOOTH, per_sample=False)(logits, codes), smp.DiceLoss(**same)(logits, codes), logits
    )
    _same(JaccardLoss(**ours)(logits, codes), smp.JaccardLoss(**same)(logits, codes), logits)
    theirs = smp.TverskyLoss(alpha=0.3, beta=0.7, **same)
    _same(TverskyLoss(0.3, 0.7, **ours)(logits, codes), theirs(logits, codes), logits)


@pytest.mark.parametrize("gamma", [0.75, 2.0])
def test_focal_tversky_agrees_with_smp_on_one_class(gamma):
    logits, codes = _batch("binary")
    theirs = smp.TverskyLoss("binary", alpha=0.3, beta=0.7, gamma=gamma, smooth=SMOOTH)
    ours = TverskyLoss(0.3, 0.7, gamma, smooth=SMOOTH)
    mean = torch.stack([theirs(logits[i : i + 1], codes[i : i + 1]) for i in range(len(logits))]).mean()
    _same(ours(logits, codes), mean, logits)


def test_an_empty_reference_costs_nothing_only_without_prediction():
    codes = torch.zeros(1, 8, 8, dtype=torch.long)
    for loss in (DiceLoss(), JaccardLoss(), TverskyLoss()):
        assert loss(torch.full((1, 1, 8, 8), -100.0), codes) < 1e-6
        assert loss(torch.zeros(1, 1, 8, 8), codes) > 0.99


def test_settings_out_of_range_are_refused():
    with pytest.raises(ConfigError, match="smooth out of range"):
        DiceLoss(smooth=0.0)
    with pytest.raises(ConfigError, match="alpha or beta out of range"):
        TverskyLoss(alpha=-0.1)
    with pytest.raises(ConfigError, match="gamma out of range"):
        TverskyLoss(gamma=0.0)
