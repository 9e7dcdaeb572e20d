"""Pixels whose centres lie inside a polygon."""

import numpy as np
from numpy.typing import NDArray


def fill_polygon(points: NDArray[np.float64], shape: tuple[int, int]) -> NDArray[np.bool_]:
    """Rasterise a polygon by the even-odd rule.

    A centre on an edge counts on the sides of the smaller row and column only, so that neighbours that share an edge
    share no pixel. Key-hole contours (a hole joined by a doubled line) come out right.

    Args:
        points: `(n, 2)` rows and columns in pixels, pixel centres at whole numbers; closed by itself.
        shape: Height and width; what lies outside is cut off.

    Returns:
        `(H, W)`; nothing for fewer than three points.
    """
    inside = np.zeros(shape, bool)
    if len(points) < 3:
        return inside
    ends = np.roll(points, -1, axis=0)
    lowest = max(0, int(np.ceil(points[:, 0].min())))
    highest = min(shape[0] - 1, int(np.floor(points[:, 0].max())))
    columns = np.arange(shape[1])
    for row in range(lowest, highest + 1):
        crossed = (points[:, 0] <= row) != (ends[:, 0] <= row)
        start, end = points[crossed], ends[crossed]
        crossings = start[:, 1] + (row - start[:, 0]) / (end[:, 0] - start[:, 0]) * (end[:, 1] - start[:, 1])
        inside[row] = np.searchsorted(np.sort(crossings), columns, side="right") % 2 == 1
    return inside
