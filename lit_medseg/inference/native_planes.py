"""Probabilities of a whole case, given class by class on its native grid."""

from collections.abc import Iterator
from dataclasses import dataclass

from torch import Tensor

from lit_medseg.inference.native_codes import native_planes
from lit_medseg.preprocess.pipeline import Pipeline
from lit_medseg.preprocess.trace import CaseTrace


@dataclass(frozen=True)
class NativePlanes:
    """Goes the way back only when it is iterated over: no two classes are held on the native grid at once.

    Attributes:
        probabilities: `(channels, *S)` on the preprocessed grid; any float.
        trace: What preprocessing left of the case.
        pipeline: The steps that made it.
    """

    probabilities: Tensor
    trace: CaseTrace
    pipeline: Pipeline

    def __iter__(self) -> Iterator[Tensor]:
        """Give float32 `(*native S)` on the CPU, one a channel of the logits."""
        return native_planes(self.probabilities, self.trace, self.pipeline)
