"""The windows of one image put together, layer by layer."""

from collections.abc import Callable, Iterator

from torch import Tensor

from lit_medseg.inference.padded_image import Box
from lit_medseg.inference.rolling_sum import RollingSum
from lit_medseg.inference.sum_plan import SumPlan
from lit_medseg.inference.window_batches import WindowBatches
from lit_medseg.inference.window_grid import Corner, WindowGrid
from lit_medseg.inference.window_weights import WindowWeights

Seen = Callable[[Box, Tensor], None]
"""Called with each window's box and its logits `(K, *patch)`."""


def stitch(
    image: Tensor, grid: WindowGrid, windows: WindowBatches, plan: SumPlan, seen: Seen
) -> Iterator[tuple[Box, Tensor]]:
    """Average the windows of an image.

    Args:
        image: `(C, *S)`, no side smaller than the window's.
        grid: Where the windows lie.
        windows: Runs them.
        plan: Where the sums go.
        seen: Called for each window.

    Yields:
        Boxes that cover the image without overlap, and their logits `(K, *box)` float32, valid until the next one.
    """
    corners = list(grid.corners())
    corner, logits = next(windows.run(image, corners[:1]))  # alone: it tells how many classes there are
    layer = list(grid.image)
    layer[grid.axis] = grid.patch[grid.axis]
    sums, room = plan.build((len(logits), *layer), grid.axis, 4 * logits.numel())
    windows.size = min(windows.size, room)
    weights = WindowWeights(grid, sums.device)

    def add(corner: Corner, logits: Tensor) -> None:
        seen(tuple(slice(start, start + side) for start, side in zip(corner, grid.patch, strict=True)), logits)
        sums.add(logits.to(sums.device), weights.shares(corner), corner)

    add(corner, logits)
    del logits  # here and below: a batch makes room before the next one asks for memory
    finished = 0
    for corner, logits in windows.run(image, corners[1:]):
        yield from _leaving(sums, grid, finished, corner[grid.axis])
        finished = corner[grid.axis]
        add(corner, logits)
        del logits
    yield from _leaving(sums, grid, finished, grid.image[grid.axis])


def _leaving(sums: RollingSum, grid: WindowGrid, start: int, stop: int) -> Iterator[tuple[Box, Tensor]]:
    """Hand out what lies between two positions along the axis, with its place."""
    for begin, logits in sums.take(start, stop):
        box = [slice(0, side) for side in grid.image]
        box[grid.axis] = slice(begin, begin + logits.shape[grid.axis + 1])
        yield tuple(box), logits
