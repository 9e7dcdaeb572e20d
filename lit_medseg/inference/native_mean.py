"""The mean of several networks' probabilities on the image's own grid."""

from collections.abc import Iterable
from dataclasses import replace

import numpy as np
from torch import Tensor

from lit_medseg.errors import DataError, expected_got
from lit_medseg.inference.native_planes import NativePlanes
from lit_medseg.inference.probability_room import probability_room
from lit_medseg.preprocess.pipeline import Pipeline
from lit_medseg.preprocess.trace import CaseTrace


class NativeMean:
    """One running sum for a case, however many members: each adds its planes and may forget them.

    Members have preprocessing of their own, so that the native grid is the only one that they share. The sum is
    float32, in memory or, of a large case with many classes, over a nameless file (see `probability_room`).

    Args:
        channels: Of the logits.
        trace: Of the case; only its native side counts.
    """

    def __init__(self, channels: int, trace: CaseTrace) -> None:
        self._trace = trace
        self._sum = probability_room((channels, *trace.grid), np.float32)
        self._members = 0

    def add(self, planes: Iterable[Tensor]) -> None:
        """Add the probabilities of one member.

        Args:
            planes: `(*native S)`, one a channel, in order.

        Raises:
            DataError: The member brings the case back to another grid.
        """
        for total, plane in zip(self._sum, planes, strict=True):
            if plane.shape != total.shape:
                grids = tuple(total.shape), tuple(plane.shape)
                todo = "Make the ensemble of checkpoints of one experiment"
                raise DataError(expected_got("ensemble", "its members have other native grids", *grids, todo))
            if self._members:
                total.add_(plane)
            else:
                total.copy_(plane)
        self._members += 1

    def planes(self) -> NativePlanes:
        """Divide by the number of members and give the means; nothing can be added after that."""
        for total in self._sum:  # plane by plane: what lies in a file need not be in memory at once
            total.div_(self._members)
        return NativePlanes(self._sum, replace(self._trace, steps=()), Pipeline())
