"""The windows of one image put together, layer by layer."""

from collections.abc import Callable, Iterator
from contextlib import nullcontext

from torch import Tensor

from lit_medseg.inference.kept_pages import kept_pages
from lit_medseg.inference.padded_image import Box
from lit_medseg.inference.rolling_sum import FloatSum, RollingSum
from lit_medseg.inference.sum_plan import SumPlan
from lit_medseg.inference.window_batches import WindowBatches
from lit_medseg.inference.window_grid import Corner, WindowGrid
from lit_medseg.inference.window_weights import WindowWeights

Seen = Callable[[Box, Tensor], None]
"""Called with each window's box and its logits `(K, *patch)`."""


def stitch(
    image: Tensor, grid: WindowGrid, windows: WindowBatches, plan: SumPlan, seen: Seen
) -> Iterator[tuple[int, int, RollingSum]]:
    """Average the windows of an image.

    Args:
        image: `(C, *S)`, no side smaller than the window's.
        grid: Where the windows lie.
        windows: Runs them.
        plan: Where the sums go.
        seen: Called for each window.

    Yields:
        From where to where along the grid's axis the image is finished, without gaps, and the sums, which have to be
        taken before the next ranges.
    """
    corners = list(grid.corners())
    corner, logits = next(windows.run(image, corners[:1]))  # alone: it tells how many classes there are
    sums, room = plan.build(len(logits), grid)
    windows.size = min(windows.size, room)
    weights = WindowWeights(grid, sums.device)

    def add(corner: Corner, logits: Tensor) -> None:
        seen(grid.box(corner), logits)
        sums.add(logits.to(sums.device), weights.shares(corner), corner)

    add(corner, logits)
    del logits  # here and below: a batch makes room before the next one asks for memory
    finished = 0
    # not before: the sums and the first logits, which lay below them, would share the pages that are kept; and not
    # where memory counts more than time, since blocks of many sizes leave gaps
    keeps = windows.device.type == "cpu" and isinstance(sums, FloatSum)
    with kept_pages() if keeps else nullcontext():
        for corner, logits in windows.run(image, corners[1:]):
            if corner[grid.axis] > finished:
                yield finished, corner[grid.axis], sums
                finished = corner[grid.axis]
            add(corner, logits)
            del logits
    yield finished, grid.image[grid.axis], sums
