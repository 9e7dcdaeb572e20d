"""Which way the axes of an array run in the patient."""

import numpy as np
from numpy.typing import NDArray


def nearest_axes(affine: NDArray[np.float64]) -> list[tuple[int, int]]:
    """Give each array axis the world axis that it is nearest to, each world axis once.

    As nibabel's `io_orientation`: the rotation without shear, its greatest components first.

    Args:
        affine: 4x4, array index to RAS+ millimetres.

    Returns:
        By array axis: the world axis (0 right, 1 anterior, 2 superior), and 1 where the array's axis grows with it,
        else -1.
    """
    axes = affine[:3, :3] / np.linalg.norm(affine[:3, :3], axis=0)
    left, _, right = np.linalg.svd(axes)
    rotation = left @ right
    ends = [(0, 0)] * 3
    size = np.abs(rotation)
    for _ in range(3):
        world, column = (int(index) for index in np.unravel_index(np.argmax(size), size.shape))
        ends[column] = (world, 1 if rotation[world, column] > 0 else -1)
        size[world, :], size[:, column] = -1.0, -1.0
    return ends
