"""The spacing that suits a set of training cases."""

from collections.abc import Sequence

import numpy as np

from lit_medseg.errors import DataError, expected_got


def median_spacing_mm(
    found: Sequence[tuple[tuple[float, ...], tuple[int, ...]]], anisotropy: float = 3.0
) -> tuple[float, ...]:
    """Choose the median spacing of each axis; a finer one along very thick slices.

    Where the coarsest axis is over `anisotropy` times as coarse as the others and has as many times fewer voxels, its
    10th percentile is taken, but none finer than the other axes: the median would throw away what thin-sliced
    cases show.

    Source: Isensee et al. 2021, doi:10.1038/s41592-020-01008-z, methods (target spacing).

    Args:
        found: Spacing in millimetres and shape of each training case, in the order of its axes.
        anisotropy: Ratio from which an axis counts as coarse.

    Returns:
        Millimetres for each axis.

    Raises:
        DataError: There are no cases, or their numbers of axes differ.
    """
    dimensions = sorted({len(spacing) for spacing, _ in found})
    if len(dimensions) != 1:
        todo = "Check the split and the images"
        expected, got = "cases with one number of axes", dimensions or "no case"
        raise DataError(expected_got("resample_to", "no spacing can be chosen", expected, got, todo))
    spacings, sizes = np.array([spacing for spacing, _ in found]), np.array([size for _, size in found])
    target, size = np.median(spacings, axis=0), np.median(sizes, axis=0)
    worst = int(np.argmax(target))
    others = [axis for axis in range(len(target)) if axis != worst]
    if target[worst] > anisotropy * target[others].max() and size[worst] * anisotropy < size[others].min():
        target[worst] = max(float(np.percentile(spacings[:, worst], 10)), float(target[others].max()))
    return tuple(float(mm) for mm in target)
