"""Labels compete for the voxels of another grid."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from lit_medseg.preprocess.label_sizes import label_counts

Box = tuple[slice, ...]
Share = Callable[[NDArray[np.float32], Box], tuple[Box, NDArray[np.float32]]]
"""Takes a label's ones within its box of the old grid; gives a box of the new grid and the label's share there."""


def compete(plane: NDArray[Any], grid: tuple[int, ...], share: Share, ratio: float) -> NDArray[Any]:
    """Give each new voxel the label with the greatest share of it; a tie goes to the lower code.

    Nearest-neighbour drops what is thinner than the new voxel, and interpolated codes invent labels; each label as a
    share of its own does neither. A label that would vanish although it had at least the volume of one new voxel gets
    as many voxels as its volume makes, those of which it has most. Each label is worked on in its own box only.

    Args:
        plane: Codes from 0, integers.
        grid: The new shape.
        share: How labels are resampled; shares are within [0, 1], linear, and those of all labels sum to one.
        ratio: Volume of a new voxel by that of an old one.

    Returns:
        Codes on the new grid in the same dtype; only codes that were there.
    """
    result, best, total = np.zeros(grid, plane.dtype), np.zeros(grid, np.float32), np.zeros(grid, np.float32)
    found: Sequence[Box | None] = ndimage.find_objects(plane)
    boxes = {code: box for code, box in enumerate(found, 1) if box is not None}
    for code, box in boxes.items():
        place, part = share((plane[box] == code).astype(np.float32), box)
        wins = part > best[place]
        best[place][wins], result[place][wins] = part[wins], code
        total[place] += part
    result[best <= 1.0 - total + 1e-5] = 0
    _restore(plane, result, {code: (box, share) for code, box in boxes.items()}, ratio)
    return result


def _restore(plane: NDArray[Any], result: NDArray[Any], labels: dict[int, tuple[Box, Share]], ratio: float) -> None:
    """Bring back, in place, labels that vanished although they fill a new voxel."""
    top = max(labels, default=0) + 1
    before, now = label_counts(plane, top), label_counts(result, top)
    for code, (box, share) in labels.items():
        if now[code] == 0 and before[code] >= ratio * (1.0 - 1e-9):
            place, part = share((plane[box] == code).astype(np.float32), box)
            if part.max() < 0.05 and part.sum() < 0.5:  # outside of the new field of view
                continue
            voxels = max(1, round(min(before[code] / ratio, float(part.sum()))))
            _claim(result, now, code, _by_share(place, part, result.shape), voxels)


def _by_share(place: Box, part: NDArray[np.float32], grid: tuple[int, ...]) -> NDArray[np.intp]:
    """Order the voxels in which a label has a share, greatest first, as flat indices."""
    order = np.argsort(-part, axis=None, kind="stable")[: np.count_nonzero(part)]
    inside = np.unravel_index(order, part.shape)
    flat = np.ravel_multi_index(tuple(index + side.start for index, side in zip(inside, place, strict=True)), grid)
    return np.asarray(flat, dtype=np.intp)


def _claim(result: NDArray[Any], now: NDArray[np.intp], code: int, candidates: NDArray[np.intp], wanted: int) -> None:
    """Take voxels from the background, and from labels that keep at least one."""
    flat = result.reshape(-1)
    for position in candidates:
        owner = flat[position]
        if owner == 0 or now[owner] > 1:
            flat[position] = code
            now[owner], now[code] = now[owner] - 1, now[code] + 1
        if now[code] >= wanted:
            return
    if now[code] == 0:  # all that it touches are the last voxels of other labels
        spare = np.flatnonzero((flat == 0) | (now[flat] > 1))
        near = spare[np.argmin(np.abs(spare - candidates[0]))]
        owner = flat[near]
        flat[near] = code
        now[owner], now[code] = now[owner] - 1, now[code] + 1
