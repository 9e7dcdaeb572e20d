"""A pixel-wise and a region-wise loss together."""

from torch import Tensor, nn

from lit_medseg.errors import ConfigError, expected_got
from lit_medseg.losses.composite_loss import CompositeLoss


class WeightedSum(CompositeLoss):
    """`alpha * pixel + beta * region`.

    The pixel-wise part has a useful gradient from the first step, the region-wise part is near the score and does not
    drown small structures.

    Source: Isensee et al., nnU-Net, 2021, doi:10.1038/s41592-020-01008-z (cross-entropy and Dice, equal weights).
    """

    def __init__(self, pixel: nn.Module, region: nn.Module, alpha: float = 1.0, beta: float = 1.0) -> None:
        """Take the parts; the YAML gives each by class path.

        Args:
            pixel: Loss called as `loss(logits, codes)`, e.g. `CrossEntropy`.
            region: Loss called as `loss(logits, codes)`, e.g. `DiceLoss`.
            alpha: Factor of the pixel-wise part, >= 0.
            beta: Factor of the region-wise part, >= 0.

        Raises:
            ConfigError: A factor is negative, or both are zero.
        """
        super().__init__()
        if min(alpha, beta) < 0 or alpha + beta == 0:
            todo = "Take 1.0 and 1.0 if unsure"
            raise ConfigError(expected_got("weighted sum", "unusable factors", ">= 0, one > 0", (alpha, beta), todo))
        self.pixel = pixel
        self.region = region
        self.alpha = alpha
        self.beta = beta

    def terms(self, logits: Tensor, codes: Tensor) -> dict[str, Tensor]:
        """Compute both parts, `pixel` and `region`, each with its factor."""
        return {"pixel": self.alpha * self.pixel(logits, codes), "region": self.beta * self.region(logits, codes)}
