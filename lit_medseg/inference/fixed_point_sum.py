"""Sums of windows in two bytes a number."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from lit_medseg.errors import DataError, expected_got
from lit_medseg.inference.rolling_sum import RollingSum
from lit_medseg.inference.window_grid import WindowGrid

_LARGEST = 32_000
"""What the scaled logits stay below: int16 ends at 32,767, and each window's rounding adds up to one half."""
_CHUNK_BYTES = 8 * 2**20


class FixedPointSum(RollingSum):
    """Sums in 16 bits, half the memory of float32, with an error that does not depend on the other numbers.

    Half-precision floats round a sum of 20 to 1/64, which moves the edge between two classes that the windows disagree
    on. Whole numbers of a step that fits the largest logit seen keep every sum within half a step a window: with logits
    within 60 of the best one the step is 1/512, so that eight windows are at most 1/128 off, and two classes 1/64.
    Where the two best probabilities differ by 1e-2 their logits differ by 1/50 or more: the label stays.

    Exclusive classes are counted from the best one of the voxel, since a softmax does not know a common offset.
    """

    def __init__(self, shape: Sequence[int], grid: WindowGrid, device: torch.device, exclusive: bool) -> None:
        """Take the memory; see `RollingSum`.

        Args:
            shape: `(K, *S)`.
            grid: Where the windows lie.
            device: Of the sums.
            exclusive: True where only differences between the channels matter (a softmax).
        """
        super().__init__(torch.empty(*shape, dtype=torch.int16, device=device), grid)
        self._exclusive = exclusive
        self._scale = 4096.0

    def logits(self, values: Tensor) -> Tensor:
        """Undo the scaling."""
        return values.float().div_(self._scale)

    def _put(self, values: Tensor, logits: Tensor, zero: Tensor, shares: Tensor, first: bool) -> None:
        scaled = shares * self._scale
        classes = max(1, _CHUNK_BYTES // (4 * shares.numel()))
        for number in range(0, len(values), classes):
            here = slice(number, number + classes)
            rounded = (logits[here] - zero).mul_(scaled).round_().to(torch.int16)
            if first:
                values[here] = rounded
            else:
                values[here].add_(rounded)

    def _zero(self, logits: Tensor) -> Tensor:
        """Give the best class of each voxel, or zero, and widen the step until the largest number fits."""
        least, most = logits.aminmax()
        if self._exclusive:
            zero, largest = logits.amax(0), float(most - least)
        else:
            zero, largest = logits.new_zeros(()).expand(logits.shape[1:]), float(torch.maximum(-least, most))
        if not math.isfinite(largest):
            todo = "Check the images' intensities and the weights"
            raise DataError(expected_got("sliding window", "unusable logits", "finite numbers", largest, todo))
        while largest * self._scale > _LARGEST:
            self._scale /= 2
            self.values.bitwise_right_shift_(1)
        return zero
