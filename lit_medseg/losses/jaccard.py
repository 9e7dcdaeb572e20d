"""Jaccard loss for every coding."""

from torch import Tensor, nn

from lit_medseg.losses.soft_overlap import SoftOverlap


class JaccardLoss(nn.Module):
    """`1 - (TP + s) / (TP + FP + FN + s)` of every class, averaged.

    Source: Rahman and Wang, Optimizing intersection-over-union in deep neural networks, 2016,
    doi:10.1007/978-3-319-50835-1_22, equations 2 and 3.
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
        self.overlap = SoftOverlap(1.0, 1.0, smooth, include_background, per_sample)

    def forward(self, logits: Tensor, codes: Tensor) -> Tensor:
        """Average over samples and classes.

        Args:
            logits: `(B, C, *S)`.
            codes: As `coded_planes` takes them.

        Returns:
            A scalar in [0, 1), float32 or wider.
        """
        return 1 - self.overlap(logits, codes).mean()
