import pytest
import torch
import torch.nn.functional as F
from monai.losses import FocalLoss as MonaiFocal
from segmentation_models_pytorch.losses import FocalLoss as SmpFocal
from segmentation_models_pytorch.losses._functional import softmax_focal_loss_with_logits

from lit_medseg.errors import ConfigError
from lit_medseg.losses.focal import FocalLoss

GAMMAS = [0.0, 0.5, 2.0]


def _same(ours, reference, logits):
    (slope,) = torch.autograd.grad(ours, logits)
    (expected_slope,) = torch.autograd.grad(reference, logits)
    torch.testing.assert_close(ours, reference)
    torch.testing.assert_close(slope, expected_slope, rtol=1e-4, atol=1e-7)


@pytest.mark.parametrize("gamma", GAMMAS)
@pytest.mark.parametrize("alpha", [None, 0.25])
def test_binary_agrees_with_monai_and_smp(gamma, alpha):
    logits, codes = torch.randn(3, 1, 7, 9, requires_grad=True), torch.randint(2, (3, 7, 9))
    loss = FocalLoss(gamma, alpha)
    _same(loss(logits, codes), MonaiFocal(gamma=gamma, alpha=alpha)(logits, codes.unsqueeze(1)), logits)
    _same(loss(logits, codes), SmpFocal("binary", gamma=gamma, alpha=alpha)(logits, codes), logits)


@pytest.mark.parametrize("gamma", GAMMAS)
def test_overlapping_agrees_with_monai_and_smp(gamma):
    logits, codes = torch.randn(3, 4, 7, 9, requires_grad=True), torch.randint(2, (3, 4, 7, 9))
    weights = [0.5, 1.0, 2.0, 0.5]
    _same(FocalLoss(gamma)(logits, codes), SmpFocal("multilabel", gamma=gamma)(logits, codes), logits)
    # MONAI weighs a class's absence too; ours weighs its presence, as torch's pos_weight.
    elements = MonaiFocal(gamma=gamma, alpha=0.3, reduction="none")(logits, codes)
    factors = torch.where(codes == 1, torch.tensor(weights).view(1, 4, 1, 1), 1.0)
    _same(FocalLoss(gamma, 0.3, weights)(logits, codes), (factors * elements).mean(), logits)


@pytest.mark.parametrize("gamma", GAMMAS)
def test_exclusive_agrees_with_monai_and_smp(gamma):
    logits, codes = torch.randn(3, 4, 7, 9, requires_grad=True), torch.randint(4, (3, 7, 9))
    _same(FocalLoss(gamma)(logits, codes), softmax_focal_loss_with_logits(logits, codes, gamma=gamma), logits)
    weights = [0.5, 1.0, 2.0, 0.5]
    # MONAI averages over the classes too.
    monai = MonaiFocal(gamma=gamma, use_softmax=True, to_onehot_y=True, weight=weights)
    _same(FocalLoss(gamma, class_weights=weights)(logits, codes), 4 * monai(logits, codes.unsqueeze(1)), logits)


def test_classification_without_focus_is_cross_entropy():
    logits, labels = torch.randn(5, 4), torch.randint(4, (5,))
    torch.testing.assert_close(FocalLoss(gamma=0.0)(logits, labels), F.cross_entropy(logits, labels))


def test_settings_out_of_range_are_refused():
    with pytest.raises(ConfigError, match="gamma out of range"):
        FocalLoss(gamma=-1.0)
    with pytest.raises(ConfigError, match="alpha out of range"):
        FocalLoss(alpha=1.0)
    with pytest.raises(ConfigError, match="alpha with exclusive classes"):
        FocalLoss(alpha=0.5)(torch.zeros(1, 3, 2, 2), torch.zeros(1, 2, 2, dtype=torch.long))
