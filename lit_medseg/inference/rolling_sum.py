"""Sums of windows over the part of an image that is still being worked on."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from lit_medseg.inference.window_grid import Corner

CHUNK_BYTES = 32 * 2**20
"""Finished sums leave in chunks of about this size, counted as float32."""


class RollingSum(ABC):
    """One layer of windows in memory: a ring along one axis, in which voxels that are finished make room for others.

    Attributes:
        values: `(K, *S)` with the layer's depth in place of the image's side along the axis.
    """

    def __init__(self, values: Tensor, axis: int) -> None:
        """Start empty.

        Args:
            values: Zeros `(K, *S)`, the depth of a window along the axis.
            axis: Of the ring, counted without the channels.
        """
        self.values = values
        self._dim = axis + 1
        self._depth = values.shape[self._dim]

    @property
    def device(self) -> torch.device:
        """Where the sums are."""
        return self.values.device

    @abstractmethod
    def _add_to(self, part: Tensor, logits: Tensor, shares: Tensor) -> None:
        """Add `logits * shares` to a part of the values; all of one grid. The logits stay as they are."""

    @abstractmethod
    def _as_logits(self, part: Tensor) -> Tensor:
        """Turn a part of the values into float32 logits; it may be a view of them."""

    def add(self, logits: Tensor, shares: Tensor, corner: Corner) -> None:
        """Add one window.

        Args:
            logits: `(K, *patch)` float32.
            shares: `(*patch)`, how much each voxel counts.
            corner: First voxel of the window in the image.
        """
        dim, depth = self._dim, logits.shape[self._dim]
        boxes = [slice(start, start + side) for start, side in zip(corner, shares.shape, strict=True)]
        for start, stop, here in self._in_ring(corner[dim - 1], corner[dim - 1] + depth):
            boxes[dim - 1] = here
            inner = start - corner[dim - 1]
            self._add_to(
                self.values[(slice(None), *boxes)],
                logits.narrow(dim, inner, stop - start),
                shares.narrow(dim - 1, inner, stop - start),
            )

    def take(self, start: int, stop: int) -> Iterator[tuple[int, Tensor]]:
        """Hand out the finished logits between two positions along the axis, and make room.

        Yields:
            Where a chunk starts along the axis, and its logits `(K, *S)`, float32, thin along the axis. They are valid
            until the next is asked for.
        """
        row_bytes = 4 * self.values.numel() // self._depth
        thickness = max(1, CHUNK_BYTES // row_bytes)
        for first in range(start, stop, thickness):
            for begin, end, here in self._in_ring(first, min(first + thickness, stop)):
                part = self.values.narrow(self._dim, here.start, end - begin)
                yield begin, self._as_logits(part)
                part.zero_()

    def _in_ring(self, start: int, stop: int) -> Iterator[tuple[int, int, slice]]:
        """Cut a range of at most one round at the ring's seam: positions in the image, and the place in the ring."""
        while start < stop:
            place = start % self._depth
            end = min(stop, start + self._depth - place)
            yield start, end, slice(place, place + end - start)
            start = end


class FloatSum(RollingSum):
    """Sums in float32."""

    def __init__(self, shape: Sequence[int], axis: int, device: torch.device) -> None:
        """Take the memory; see `RollingSum`."""
        super().__init__(torch.zeros(*shape, device=device), axis)

    def _add_to(self, part: Tensor, logits: Tensor, shares: Tensor) -> None:
        part.addcmul_(logits, shares)

    def _as_logits(self, part: Tensor) -> Tensor:
        return part
