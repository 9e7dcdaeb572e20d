"""Sums of windows in two bytes a number."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from lit_medseg.errors import DataError, expected_got
from lit_medseg.inference.rolling_sum import RollingSum

_LARGEST = 32_000
"""What the scaled logits stay below: int16 ends at 32,767, and each window's rounding adds up to one half."""
_CHUNK_BYTES = 16 * 2**20


class FixedPointSum(RollingSum):
    """Sums in 16 bits, half the memory of float32, with an error that does not depend on the other numbers.

    Half-precision floats round a sum of 20 to 1/64, which moves the edge between two classes that the windows disagree
    on. Whole numbers of a step that fits the largest logit seen keep every sum within half a step a window: with logits
    within 60 of the best one the step is 1/512, so that eight windows are at most 1/128 off, and two classes 1/64.
    Where the two best probabilities differ by 1e-2 their logits differ by 1/50 or more: the label stays.

    Exclusive classes are counted from the best one of the voxel, since a softmax does not know a common offset.
    """

    def __init__(self, shape: Sequence[int], axis: int, device: torch.device, exclusive: bool) -> None:
        """Take the memory; see `RollingSum`.

        Args:
            shape: `(K, *S)`.
            axis: Of the ring.
            device: Of the sums.
            exclusive: True where only differences between the channels matter (a softmax).
        """
        super().__init__(torch.zeros(*shape, dtype=torch.int16, device=device), axis)
        self._exclusive = exclusive
        self._scale = 4096.0

    def _add_to(self, part: Tensor, logits: Tensor, shares: Tensor) -> None:
        best = self._zero_points(logits)
        scaled = shares * self._scale
        classes = max(1, _CHUNK_BYTES // (4 * shares.numel()))
        for first in range(0, len(part), classes):
            here = slice(first, first + classes)
            part[here] += (logits[here] - best).mul_(scaled).round_().to(torch.int16)

    def _zero_points(self, logits: Tensor) -> Tensor:
        """Give what is counted from, and widen the step until the largest difference from it fits."""
        if self._exclusive:
            least, best = logits.aminmax(dim=0)
            largest = float((best - least).max())
        else:
            best = logits.new_zeros(())
            largest = float(logits.abs().max())
        if not math.isfinite(largest):
            todo = "Check the images' intensities and the weights"
            raise DataError(expected_got("sliding window", "unusable logits", "finite numbers", largest, todo))
        while largest * self._scale > _LARGEST:
            self._scale /= 2
            self.values.bitwise_right_shift_(1)
        return best

    def _as_logits(self, part: Tensor) -> Tensor:
        return part.float().div_(self._scale)
