"""Which voxels of a channel say something, without any mask."""

from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

Region = Literal["whole", "foreground", "nonzero"]
"""`whole`: all voxels. `foreground`: above Otsu's threshold. `nonzero`: all but exact 0 (skull-stripped brains)."""


def values_within(channel: NDArray[Any], region: Region) -> NDArray[Any]:
    """Give the values of a channel within a region.

    Args:
        channel: Real numbers, any shape.
        region: See `Region`.

    Returns:
        One-dimensional; all values where the region is empty (a constant channel).
    """
    flat = channel.reshape(-1)
    if region == "whole":
        return flat
    chosen = flat[flat != 0] if region == "nonzero" else flat[flat > otsu_threshold(flat)]
    return chosen if chosen.size else flat


def otsu_threshold(channel: NDArray[Any], bins: int = 256) -> float:
    """Give the threshold that separates two classes of intensities best.

    Source: Otsu 1979, doi:10.1109/TSMC.1979.4310076 (greatest variance between the classes).

    Args:
        channel: Real numbers, any shape.
        bins: Of the histogram, over the channel's range.

    Returns:
        A bin's upper edge: foreground is above it. The value itself where all are equal.
    """
    low, high = float(channel.min()), float(channel.max())
    if low == high:
        return low
    counts, edges = np.histogram(channel, bins=bins, range=(low, high))
    weight = np.cumsum(counts)[:-1].astype(np.float64)
    centres = (edges[:-1] + edges[1:]) / 2
    sums, total = np.cumsum(counts * centres), float((counts * centres).sum())
    rest = counts.sum() - weight
    between = weight * rest * (sums[:-1] / np.maximum(weight, 1) - (total - sums[:-1]) / np.maximum(rest, 1)) ** 2
    return float(edges[1 + int(np.argmax(between))])
