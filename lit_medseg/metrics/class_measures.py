"""Scores of a segmented case beyond ratios of counts: distances between surfaces, volumes, lesions."""

from concurrent.futures import ThreadPoolExecutor
from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray

from lit_medseg.metrics.class_masks import ClassMasks, class_masks
from lit_medseg.metrics.lesion_scores import lesion_counts
from lit_medseg.metrics.measures import LESIONS, SURFACE
from lit_medseg.metrics.row import Row
from lit_medseg.metrics.segmentation_scoring import SegmentationScoring
from lit_medseg.metrics.surface_distances import surface_distances
from lit_medseg.metrics.volume_scores import volume_scores
from lit_medseg.target import Target

_THREADED = 1_000_000
"""Voxels from which on the classes are dealt to threads; below, a thread costs more than it brings."""


def class_measures(
    prediction: NDArray[np.integer],
    reference: NDArray[np.integer],
    counts: NDArray[np.int64],
    target: Target,
    spacing_mm: tuple[float, ...] | None,
    scoring: SegmentationScoring,
) -> list[Row]:
    """Compute the further columns of one case; the classes of a large one in as many threads as torch has.

    Args:
        prediction: Codes `(*S)`, overlapping classes `(K, *S)` of 0 and 1.
        reference: Codes of the same shape.
        counts: `(classes, 4)` of the scored classes.
        target: How the codes are meant.
        spacing_mm: Distance of voxel centres along each axis of S; None where it is unknown: no distances, no volumes.
        scoring: What is asked for.

    Returns:
        One a scored class: of `SURFACE`, `VOLUME` (three dimensions) and `LESIONS` what is asked for, with the counts
        `lesions`, `lesions_found`, `lesions_predicted` and `lesions_right` behind the last.
    """
    rows: list[Row] = [{} for _ in target.foreground]
    if scoring.volume and spacing_mm is not None and len(spacing_mm) == 3:
        rows = [volume_scores(one, spacing_mm) for one in counts]
    surface_spacing = None if scoring.surface == "never" else spacing_mm
    if surface_spacing is None and not scoring.lesions:
        return rows
    work = (class_masks(prediction, reference, target), target.foreground, rows)
    measure = partial(_measured, spacing_mm=surface_spacing, scoring=scoring)
    workers = min(len(rows), torch.get_num_threads())
    if prediction.size < _THREADED or workers < 2:
        return list(map(measure, *work))
    with ThreadPoolExecutor(workers) as pool:
        return list(pool.map(measure, *work))


def _measured(
    masks: ClassMasks, name: str, volumes: Row, *, spacing_mm: tuple[float, ...] | None, scoring: SegmentationScoring
) -> Row:
    """Put one class's columns together; no distances where the spacing is None."""
    prediction, reference = masks.cut()
    row: Row = {}
    if spacing_mm is not None:
        distances = surface_distances(prediction, reference, spacing_mm)
        tolerance = scoring.tolerance_of(name)
        values = (distances.hd95_mm(), distances.assd_mm(), distances.surface_dice(tolerance))
        row |= dict(zip(SURFACE, values, strict=True))
    row |= volumes
    if scoring.lesions:
        lesions = lesion_counts(prediction, reference, scoring.lesion_overlap)
        row |= dict(zip(LESIONS, (lesions.sensitivity(), lesions.precision()), strict=True))
        row |= {"lesions": lesions.reference, "lesions_found": lesions.found}
        row |= {"lesions_predicted": lesions.predicted, "lesions_right": lesions.right}
    return row
