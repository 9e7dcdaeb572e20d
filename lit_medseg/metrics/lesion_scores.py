"""Lesions as objects: how many are found, how many of those found are real."""

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from lit_medseg.metrics.class_masks import Mask


@dataclass(frozen=True)
class LesionCounts:
    """Connected components of one class in one case.

    Attributes:
        reference: Lesions of the reference.
        found: Those of them that the prediction covers.
        predicted: Lesions of the prediction.
        right: Those of them that the reference covers.
    """

    reference: int
    found: int
    predicted: int
    right: int

    def sensitivity(self) -> float:
        """Share of the reference's lesions that are found; no lesion in either mask 1.0, in the reference alone NaN."""
        return self._share(self.found, self.reference)

    def precision(self) -> float:
        """Share of the predicted lesions that are right; no lesion in either mask 1.0, in the prediction alone NaN."""
        return self._share(self.right, self.predicted)

    def _share(self, part: int, whole: int) -> float:
        if whole:
            return part / whole
        return 1.0 if self.reference == self.predicted else float("nan")


def lesion_counts(prediction: Mask, reference: Mask, overlap: float = 0.0) -> LesionCounts:
    """Count lesions: components whose voxels touch by a face, an edge or a corner (26 neighbours in 3D, 8 in 2D).

    A lesion counts where the other mask covers at least the stated share of its voxels, and at least one voxel. One
    component may so cover several of the other mask: splitting and merging is not punished.
    Source: A. Carass et al., Longitudinal multiple sclerosis lesion segmentation: resource and challenge, NeuroImage
    148 (2017) 77-102, doi:10.1016/j.neuroimage.2016.12.064 (lesion-wise rates, one voxel of overlap); further rules:
    L. Maier-Hein, A. Reinke et al. (2024), doi:10.1038/s41592-023-02151-z.

    Args:
        prediction: `(*S)` bool.
        reference: Of the same shape.
        overlap: Share from 0 to 1.

    Returns:
        The counts; zeros for empty masks.
    """
    predicted, right = _covered(prediction, reference, overlap)
    lesions, found = _covered(reference, prediction, overlap)
    return LesionCounts(lesions, found, predicted, right)


def _covered(mask: Mask, cover: Mask, overlap: float) -> tuple[int, int]:
    """Count the components of a mask, and those that the other mask covers."""
    if not mask.any():
        return 0, 0
    labels, count = ndimage.label(mask, structure=np.ones((3,) * mask.ndim))
    sizes = np.bincount(labels[mask], minlength=count + 1)[1:]
    shared = np.bincount(labels[mask & cover], minlength=count + 1)[1:]
    # a share of 0.1 of 10 voxels is one voxel, whatever 0.1 rounds to
    enough = (shared > 0) & (shared >= overlap * sizes * (1 - 1e-9))
    return int(count), int(np.count_nonzero(enough))
