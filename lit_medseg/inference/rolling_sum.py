"""Sums of windows over the part of an image that is still being worked on."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from lit_medseg.inference.window_grid import Corner, WindowGrid

Part = tuple[slice, ...]
"""A box, one slice an axis."""


class RollingSum(ABC):
    """One layer of windows in memory: a ring along one axis, in which voxels that are finished make room for others.

    Nothing is ever set to zero: the first window at a voxel overwrites what was there.

    Attributes:
        values: `(K, *S)` with the layer's depth in place of the image's side along the axis.
    """

    def __init__(self, values: Tensor, grid: WindowGrid) -> None:
        """Start empty.

        Args:
            values: Memory `(K, *S)`, the depth of a window along the grid's axis.
            grid: Where the windows lie; they are added in its order.
        """
        self.values = values
        self._grid = grid
        self._axis = grid.axis
        self._depth = grid.patch[grid.axis]

    @property
    def device(self) -> torch.device:
        """Where the sums are."""
        return self.values.device

    @abstractmethod
    def logits(self, values: Tensor) -> Tensor:
        """Turn a part of the values into float32 logits; where they are that already, into the same tensor."""

    @abstractmethod
    def _zero(self, logits: Tensor) -> Tensor:
        """Give what a window's logits `(K, *patch)` are counted from, `(*patch)`."""

    @abstractmethod
    def _put(self, values: Tensor, logits: Tensor, zero: Tensor, shares: Tensor, first: bool) -> None:
        """Add `(logits - zero) * shares` to a part of the values, or overwrite them; all of one grid."""

    def add(self, logits: Tensor, shares: Tensor, corner: Corner) -> None:
        """Add one window.

        Args:
            logits: `(K, *patch)` float32.
            shares: `(*patch)`, how much each voxel counts.
            corner: First voxel of the window in the image.
        """
        zero = self._zero(logits)
        for part, first in self._parts(corner):
            for inner, ring in self._at_seam(part, corner[self._axis]):
                place = [slice(start + own.start, start + own.stop) for start, own in zip(corner, inner, strict=True)]
                place[self._axis] = ring
                values = self.values[(slice(None), *place)]
                self._put(values, logits[(slice(None), *inner)], zero[inner], shares[inner], first)

    def take(self, start: int, stop: int, voxels: int) -> Iterator[tuple[int, Tensor]]:
        """Hand out the finished values between two positions along the axis.

        Args:
            start: First position.
            stop: Behind the last position.
            voxels: Most voxels of one part, if one position has no more.

        Yields:
            Where a part starts along the axis, and its values `(K, *S)`, thin along the axis: a view, valid until the
            next window is added.
        """
        thickness = max(1, voxels * self._depth // self.values[0].numel())
        while start < stop:
            ring = start % self._depth
            length = min(thickness, stop - start, self._depth - ring)
            yield start, self.values.narrow(self._axis + 1, ring, length)
            start += length

    def _parts(self, corner: Corner) -> Iterator[tuple[Part, bool]]:
        """Cut a window into what earlier windows cover and, last and marked, the box that none does."""
        box = [slice(0, side) for side in self._grid.patch]
        covered = self._grid.covered(corner)
        for axis in self._grid.order:
            if covered[axis]:
                yield (*box[:axis], slice(0, covered[axis]), *box[axis + 1 :]), False
            box[axis] = slice(covered[axis], self._grid.patch[axis])
        yield tuple(box), True

    def _at_seam(self, part: Part, start: int) -> Iterator[tuple[Part, slice]]:
        """Cut a part of a window where the ring begins anew; gives each piece and its place in the ring."""
        own = part[self._axis]
        while own.start < own.stop:
            ring = (start + own.start) % self._depth
            length = min(own.stop - own.start, self._depth - ring)
            piece = slice(own.start, own.start + length)
            yield (*part[: self._axis], piece, *part[self._axis + 1 :]), slice(ring, ring + length)
            own = slice(piece.stop, own.stop)


class FloatSum(RollingSum):
    """Sums in float32."""

    def __init__(self, shape: Sequence[int], grid: WindowGrid, device: torch.device) -> None:
        """Take the memory; see `RollingSum`."""
        super().__init__(torch.empty(*shape, device=device), grid)

    def logits(self, values: Tensor) -> Tensor:
        """Give them as they are."""
        return values

    def _zero(self, logits: Tensor) -> Tensor:
        return logits.new_zeros(()).expand(logits.shape[1:])

    def _put(self, values: Tensor, logits: Tensor, zero: Tensor, shares: Tensor, first: bool) -> None:
        if first:
            torch.mul(logits, shares, out=values)
        else:
            values.addcmul_(logits, shares)
