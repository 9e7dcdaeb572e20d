"""Focal loss for every coding."""

from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lit_medseg.errors import ConfigError, expected_got
from lit_medseg.losses.class_weights import ClassWeights
from lit_medseg.losses.coded_planes import CodedPlanes, coded_planes


class FocalLoss(nn.Module):
    """Cross-entropy that counts less where the network is already right: `-(1 - p_t)^gamma log(p_t)`.

    Source: Lin et al., Focal loss for dense object detection, 2017, doi:10.1109/ICCV.2017.324, equations 4 and 5.
    With gamma = 0 it is the cross-entropy. smp's multi-class form is one-against-rest of sigmoids, MONAI's divides by
    the number of classes again: neither is this.
    """

    def __init__(
        self,
        gamma: float = 2.0,
        alpha: float | None = None,
        class_weights: list[float] | Literal["balanced"] | None = None,
    ) -> None:
        """Take the settings.

        Args:
            gamma: Strength >= 0.
            alpha: Sigmoid codings: factor in (0, 1) of the positives, negatives take 1 - alpha (equation 5). Exclusive
                classes have no positives: use class_weights there.
            class_weights: See `ClassWeights`.

        Raises:
            ConfigError: gamma or alpha is out of range.
        """
        super().__init__()
        if gamma < 0:
            raise ConfigError(expected_got("focal loss", "gamma out of range", ">= 0", gamma, "Take 2.0 if unsure"))
        if alpha is not None and not 0 < alpha < 1:
            raise ConfigError(
                expected_got("focal loss", "alpha out of range", "0 < x < 1", alpha, "Leave it out if unsure")
            )
        self.gamma = gamma
        self.alpha = alpha
        self.class_weights = ClassWeights(class_weights)

    def forward(self, logits: Tensor, codes: Tensor) -> Tensor:
        """Average over samples, pixels and (sigmoid codings) channels.

        Args:
            logits: `(B, C, *S)` or `(B, C)`.
            codes: As `coded_planes` takes them.

        Returns:
            A scalar >= 0, float32 or wider.

        Raises:
            ConfigError: alpha was given and the classes are exclusive.
        """
        coded = coded_planes(logits, codes)
        losses = self._softmax(coded) if coded.exclusive else self._sigmoid(coded)
        factors = self.class_weights(coded)
        return losses.mean() if factors is None else (factors * losses).mean()

    def _softmax(self, coded: CodedPlanes) -> Tensor:
        """`(B, N)`."""
        if self.alpha is not None:
            todo = "Give class_weights instead"
            raise ConfigError(expected_got("focal loss", "alpha with exclusive classes", "no alpha", self.alpha, todo))
        log_p = coded.logits.log_softmax(dim=1).gather(1, coded.codes.unsqueeze(1)).squeeze(1)
        # The floor keeps the slope of a power below 1 finite where p is exactly 1.
        miss = 1 - log_p.exp()
        return -miss.clamp_min(torch.finfo(miss.dtype).tiny).pow(self.gamma) * log_p

    def _sigmoid(self, coded: CodedPlanes) -> Tensor:
        """`(B, C, N)`."""
        planes = coded.planes
        signed = coded.logits * (2 * planes - 1)
        losses = -(self.gamma * F.logsigmoid(-signed)).exp() * F.logsigmoid(signed)
        if self.alpha is None:
            return losses
        return losses * (self.alpha * planes + (1 - self.alpha) * (1 - planes))
