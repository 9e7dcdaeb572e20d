"""How well soft predictions overlap the reference: the index under the Dice, Jaccard and Tversky losses."""

from dataclasses import dataclass

from torch import Tensor

from lit_medseg.errors import ConfigError, expected_got
from lit_medseg.losses.coded_planes import coded_planes


@dataclass(frozen=True)
class SoftOverlap:
    """Soft Tversky index `(TP + s) / (TP + a FP + b FN + s)` of every class.

    Source: Salehi et al., Tversky loss function for image segmentation, 2017, doi:10.1007/978-3-319-67389-9_44,
    equation 4. a = b = 1/2 is Dice, a = b = 1 is Jaccard.

    Attributes:
        alpha: Factor of the false positives, >= 0.
        beta: Factor of the false negatives, >= 0.
        smooth: s > 0: defines the index, 1, of a class that is neither there nor predicted.
        include_background: Whether channel 0 of exclusive classes counts; sigmoid codings have no background channel.
        per_sample: Count within each sample; else over the batch as if it were one image.
    """

    alpha: float
    beta: float
    smooth: float
    include_background: bool
    per_sample: bool

    def __post_init__(self) -> None:
        """Refuse numbers with which the index can be undefined.

        Raises:
            ConfigError: A factor is negative or the smoothing is not positive.
        """
        if self.smooth <= 0:
            todo = "An empty mask would give 0/0"
            raise ConfigError(expected_got("loss", "smooth out of range", "> 0", self.smooth, todo))
        if min(self.alpha, self.beta) < 0:
            got = (self.alpha, self.beta)
            raise ConfigError(expected_got("loss", "alpha or beta out of range", ">= 0", got, "Take 0.5 if unsure"))

    def __call__(self, logits: Tensor, codes: Tensor) -> Tensor:
        """Compute the index.

        Args:
            logits: `(B, C, *S)`; `(B, C)` of a classification only makes sense over the batch.
            codes: As `coded_planes` takes them.

        Returns:
            `(B, classes)`, or `(1, classes)` over the batch; in (0, 1], float32 or wider.
        """
        coded = coded_planes(logits, codes)
        probabilities, planes = coded.probabilities, coded.planes
        if coded.exclusive and not self.include_background:
            probabilities, planes = probabilities[:, 1:], planes[:, 1:]
        axes = (2,) if self.per_sample else (0, 2)
        hits = (probabilities * planes).sum(axes)
        false_positives = probabilities.sum(axes) - hits
        false_negatives = planes.sum(axes) - hits
        wrong = self.alpha * false_positives + self.beta * false_negatives
        index = (hits + self.smooth) / (hits + wrong + self.smooth)
        return index if self.per_sample else index.unsqueeze(0)
