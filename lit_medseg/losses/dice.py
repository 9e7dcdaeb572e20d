"""Dice loss for every coding."""

from torch import Tensor, nn

from lit_medseg.losses.soft_overlap import SoftOverlap


class DiceLoss(nn.Module):
    """`1 - (2 TP + s) / (2 TP + FP + FN + s)` of every class, averaged.

    Source: Milletari et al., V-Net, 2016, doi:10.1109/3DV.2016.79, section 3 (sums are
    plain here, not squared, as in MONAI).
    An image without the class costs almost 1 unless (almost) nothing is predicted: value and gradient stay finite.
    """

    def __init__(self, include_background: bool = False, smooth: float = 1e-5, per_sample: bool = True) -> None:
        """Take the settings.

        Args:
            include_background: Whether channel 0 of exclusive classes counts; True for a classification.
            smooth: Added to numerator and denominator, in pixels, > 0.
            per_sample: Average the loss of each sample, so that a batch may be dealt to ranks; False counts over the
                batch as if it were one image (steadier for small structures, but other steps on other ranks).
        """
        super().__init__()
        # Half the smoothing in the form of Tversky is the whole of it in the form of Dice.
        self.overlap = SoftOverlap(0.5, 0.5, smooth / 2, include_background, per_sample)

    def forward(self, logits: Tensor, codes: Tensor) -> Tensor:
        """Average over samples and classes.

        Args:
            logits: `(B, C, *S)`.
            codes: As `coded_planes` takes them.

        Returns:
            A scalar in [0, 1), float32 or wider.
        """
        return 1 - self.overlap(logits, codes).mean()
