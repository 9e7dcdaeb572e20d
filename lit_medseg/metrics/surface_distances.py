"""How far the boundaries of two masks are apart: HD95, average distance and surface Dice from one pair of searches.

The boundary of a mask is the set of its voxels with a neighbour across a face (2D: an edge) that is not in the mask;
what lies outside of the image counts as not in it. That is the boundary of MONAI, SciPy's erosion and the Metrics
Reloaded reference. Implementations that weigh surface elements between voxels by their area give another surface Dice,
most of all where the tolerance is about a voxel (see docs/evaluation.md).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import KDTree

from lit_medseg.metrics.class_masks import Mask

Distances = NDArray[np.float64]
_SLACK = 1 + 1e-6
"""Three steps of 0.1 mm are not beyond 0.3 mm: sums of floats, and affines stored in single precision, round."""


@dataclass(frozen=True)
class SurfaceDistances:
    """The distances between two boundaries, in mm.

    Attributes:
        prediction_mm: `(P,)` float64: from each boundary voxel of the prediction to the nearest one of the reference;
            infinite where there is none.
        reference_mm: `(R,)` float64: the other way round.
    """

    prediction_mm: Distances
    reference_mm: Distances

    @property
    def defined(self) -> bool:
        """Whether both boundaries have voxels."""
        return bool(len(self.prediction_mm) and len(self.reference_mm))

    @property
    def both_empty(self) -> bool:
        """Whether neither has."""
        return not len(self.prediction_mm) and not len(self.reference_mm)

    def hd95_mm(self) -> float:
        """95th percentile Hausdorff distance: the greater of the 95th percentiles of the two directions.

        Percentiles are interpolated linearly between the two nearest ranks.
        Source: D. P. Huttenlocher, G. A. Klanderman and W. J. Rucklidge, Comparing images using the Hausdorff distance,
        IEEE TPAMI 15 (1993) 850-863, doi:10.1109/34.232073 (the partial distance: a rank in place of the maximum).

        Returns:
            In mm; both masks empty 0.0, one empty NaN.
        """
        if not self.defined:
            return 0.0 if self.both_empty else float("nan")
        return float(max(np.percentile(self.prediction_mm, 95), np.percentile(self.reference_mm, 95)))

    def assd_mm(self) -> float:
        """Average symmetric surface distance: the mean over the boundary voxels of both masks together.

        Source: T. Heimann et al., Comparison and evaluation of methods for liver segmentation from CT datasets, IEEE
        TMI 28 (2009) 1251-1265, doi:10.1109/TMI.2009.2013851.

        Returns:
            In mm; both masks empty 0.0, one empty NaN.
        """
        if not self.defined:
            return 0.0 if self.both_empty else float("nan")
        count = len(self.prediction_mm) + len(self.reference_mm)
        return float((self.prediction_mm.sum() + self.reference_mm.sum()) / count)

    def surface_dice(self, tolerance_mm: float) -> float:
        """Share of the boundary voxels of both masks that lie within a tolerance of the other (NSD).

        Source: S. Nikolov et al., Clinically applicable segmentation of head and neck anatomy for radiotherapy, Journal
        of Medical Internet Research 23 (2021) e26151, doi:10.2196/26151; boundary voxels in place of surface
        elements: S. Seidlitz et al., doi:10.1016/j.media.2022.102488.

        Args:
            tolerance_mm: The greatest distance that is right; a millionth of it is granted to rounding.

        Returns:
            In [0, 1]; both masks empty 1.0, one empty 0.0.
        """
        if not self.defined:
            return 1.0 if self.both_empty else 0.0
        limit = tolerance_mm * _SLACK
        right = np.count_nonzero(self.prediction_mm <= limit) + np.count_nonzero(self.reference_mm <= limit)
        return float(right / (len(self.prediction_mm) + len(self.reference_mm)))


def surface_distances(prediction: Mask, reference: Mask, spacing_mm: tuple[float, ...]) -> SurfaceDistances:
    """Measure from every boundary voxel of each mask to the nearest of the other; exact.

    A search tree over the boundary voxels is used and not a distance map of the box: it takes time by the surface and
    not by the volume.

    Args:
        prediction: `(*S)` bool; voxels outside of the array are background.
        reference: Of the same shape.
        spacing_mm: Distance of voxel centres along each axis of the arrays.

    Returns:
        The distances, in the order of the voxels.
    """
    ours, theirs = surface_voxels(prediction), surface_voxels(reference)
    return SurfaceDistances(_nearest(ours, theirs, spacing_mm), _nearest(theirs, ours, spacing_mm))


def surface_voxels(mask: Mask) -> Mask:
    """Mark the boundary: the voxels that an erosion with the cross takes away.

    Args:
        mask: `(*S)` bool.

    Returns:
        Of the same shape; every voxel of the mask at the array's border is marked.
    """
    inner = mask.copy()
    for axis in range(mask.ndim):
        across, inner_across = mask.swapaxes(0, axis), inner.swapaxes(0, axis)
        inner_across[1:] &= across[:-1]
        inner_across[:-1] &= across[1:]
        inner_across[:1] = False
        inner_across[-1:] = False
    return mask & ~inner


def _nearest(starts: Mask, ends: Mask, spacing_mm: tuple[float, ...]) -> Distances:
    found = np.zeros(np.count_nonzero(starts))
    apart = ~ends[starts]  # a shared voxel is at distance zero without a search
    if not ends.any():
        return np.full_like(found, np.inf)
    if apart.any():
        scale = np.asarray(spacing_mm, dtype=np.float64)
        # neighbours in the order of the array are neighbours in space: the tree need not be balanced by medians
        tree = KDTree(np.argwhere(ends) * scale, leafsize=32, balanced_tree=False, compact_nodes=False)
        found[apart] = tree.query(np.argwhere(starts & ~ends) * scale)[0]
    return found
