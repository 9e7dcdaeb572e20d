"""The volume of a mask, and its error."""

import math

import numpy as np
from numpy.typing import NDArray

from lit_medseg.metrics.row import Row


def volume_scores(counts: NDArray[np.int64], spacing_mm: tuple[float, ...]) -> Row:
    """Compute volumes from the counts of voxels.

    Args:
        counts: `(4,)`: true positives, false positives, false negatives, true negatives.
        spacing_mm: Distance of voxel centres along the three axes.

    Returns:
        `volume_ml` of the prediction and `reference_volume_ml`; `volume_error_ml`, the first less the second (its mean
        over cases is the bias), and its size `absolute_volume_error_ml`; `relative_volume_error`, the signed error over
        the reference's volume (both empty 0.0, an empty reference alone NaN).
    """
    voxel_ml = math.prod(spacing_mm) / 1000
    hits, false_positives, false_negatives, _ = counts.tolist()
    error, reference = false_positives - false_negatives, hits + false_negatives
    relative = error / reference if reference else (float("nan") if error else 0.0)
    return {
        "volume_ml": (hits + false_positives) * voxel_ml,
        "reference_volume_ml": reference * voxel_ml,
        "volume_error_ml": error * voxel_ml,
        "absolute_volume_error_ml": abs(error) * voxel_ml,
        "relative_volume_error": relative,
    }
