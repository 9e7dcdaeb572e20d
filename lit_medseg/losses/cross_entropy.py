"""Cross-entropy for every coding."""

from typing import Literal

import torch.nn.functional as F
from torch import Tensor, nn

from lit_medseg.errors import ConfigError, expected_got
from lit_medseg.losses.class_weights import ClassWeights
from lit_medseg.losses.coded_planes import CodedPlanes, coded_planes


class CrossEntropy(nn.Module):
    """Cross-entropy of the softmax (multi-class) or of each sigmoid (binary, overlapping), for pixels or whole images.

    With class weights the sum is divided by the number of elements. `torch.nn.CrossEntropyLoss` divides by the sum of
    the weights met in the batch, which ties a sample's gradient to its neighbours: two ranks would then take another
    step than one.
    """

    def __init__(
        self,
        class_weights: list[float] | Literal["balanced"] | None = None,
        label_smoothing: float = 0.0,
    ) -> None:
        """Take the settings.

        Args:
            class_weights: See `ClassWeights`.
            label_smoothing: Share in [0, 1) of the target that is spread evenly over the classes (of a sigmoid: over
                its two). Source: Szegedy et al. 2016, doi:10.1109/CVPR.2016.308, section 7.

        Raises:
            ConfigError: The smoothing is out of range.
        """
        super().__init__()
        if not 0 <= label_smoothing < 1:
            todo = "Give a share of the target"
            raise ConfigError(expected_got("label_smoothing", "out of range", "0 <= x < 1", label_smoothing, todo))
        self.class_weights = ClassWeights(class_weights)
        self.label_smoothing = label_smoothing

    def forward(self, logits: Tensor, codes: Tensor) -> Tensor:
        """Average over samples, pixels and (sigmoid codings) channels.

        Args:
            logits: `(B, C, *S)` or `(B, C)`.
            codes: As `coded_planes` takes them.

        Returns:
            A scalar >= 0, float32 or wider.
        """
        coded = coded_planes(logits, codes)
        losses = self._softmax(coded) if coded.exclusive else self._sigmoid(coded)
        factors = self.class_weights(coded)
        return losses.mean() if factors is None else (factors * losses).mean()

    def _softmax(self, coded: CodedPlanes) -> Tensor:
        """`(B, N)`; flat rows, because the planar kernel has no deterministic form on CUDA."""
        rows = coded.logits.transpose(1, 2).flatten(0, 1)
        losses = F.cross_entropy(rows, coded.codes.flatten(), label_smoothing=self.label_smoothing, reduction="none")
        return losses.view_as(coded.codes)

    def _sigmoid(self, coded: CodedPlanes) -> Tensor:
        """`(B, C, N)`."""
        targets = coded.planes * (1 - self.label_smoothing) + self.label_smoothing / 2
        return F.binary_cross_entropy_with_logits(coded.logits, targets, reduction="none")
