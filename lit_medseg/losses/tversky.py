"""Tversky and focal Tversky loss for every coding."""

from torch import Tensor, nn

from lit_medseg.errors import ConfigError, expected_got
from lit_medseg.losses.soft_overlap import SoftOverlap

_FLOOR = 1e-6
"""Below it a loss has no slope: a power below 1 has an infinite one at 0."""


class TverskyLoss(nn.Module):
    """`(1 - (TP + s) / (TP + alpha FP + beta FN + s))^gamma` of every class, averaged.

    Source: Salehi et al. 2017, doi:10.1007/978-3-319-67389-9_44, equation 4 (gamma = 1); Abraham and Khan, A novel
    focal Tversky loss, 2019, doi:10.1109/ISBI.2019.8759329, equation 4 (their exponent 1/gamma is gamma here). The
    power is taken per sample and class, as there; smp takes it of the mean, which mixes a batch's samples.
    """

    def __init__(
        self,
        alpha: float = 0.5,
        beta: float = 0.5,
        gamma: float = 1.0,
        include_background: bool = False,
        smooth: float = 1e-5,
        per_sample: bool = True,
    ) -> None:
        """Take the settings; alpha = beta = 0.5 with gamma = 1 is Dice.

        Args:
            alpha: Factor of the false positives, >= 0.
            beta: Factor of the false negatives, >= 0; above alpha it favours recall.
            gamma: Exponent > 0; 0.75 is Abraham and Khan's choice.
            include_background: Whether channel 0 of exclusive classes counts; True for a classification.
            smooth: Added to numerator and denominator, in pixels, > 0.
            per_sample: Average the loss of each sample; False counts over the batch as if it were one image.

        Raises:
            ConfigError: A number is out of range.
        """
        super().__init__()
        if gamma <= 0:
            raise ConfigError(expected_got("Tversky loss", "gamma out of range", "> 0", gamma, "Take 1.0 if unsure"))
        self.overlap = SoftOverlap(alpha, beta, smooth, include_background, per_sample)
        self.gamma = gamma

    def forward(self, logits: Tensor, codes: Tensor) -> Tensor:
        """Average over samples and classes.

        Args:
            logits: `(B, C, *S)`.
            codes: As `coded_planes` takes them.

        Returns:
            A scalar in [0, 1), float32 or wider.
        """
        losses = 1 - self.overlap(logits, codes)
        return losses.mean() if self.gamma == 1 else losses.clamp_min(_FLOOR).pow(self.gamma).mean()
