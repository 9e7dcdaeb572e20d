"""Connected parts of a mask."""

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage


def component_sizes(mask: NDArray[np.bool_]) -> tuple[NDArray[np.signedinteger], NDArray[np.int64]]:
    """Number the connected parts: neighbours by a face, an edge or a corner (26 in 3D, 8 in 2D).

    Args:
        mask: `(*S)` bool.

    Returns:
        Numbers from 1 by voxel, 0 outside; and `(parts,)`: the voxels of each, in the order of the numbers.
    """
    labels, count = ndimage.label(mask, structure=np.ones((3,) * mask.ndim))
    return labels, np.bincount(labels.ravel(), minlength=count + 1)[1:].astype(np.int64)
