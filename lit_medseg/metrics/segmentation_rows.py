"""The scores of one segmented case."""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from lit_medseg.errors import DataError, expected_got
from lit_medseg.metrics.class_measures import class_measures
from lit_medseg.metrics.counts import code_counts, confusion_counts
from lit_medseg.metrics.ratios import RATIOS
from lit_medseg.metrics.row import Row
from lit_medseg.metrics.segmentation_scoring import SegmentationScoring
from lit_medseg.target import MultiLabel, Target


def segmentation_rows(
    case_id: str,
    patient_id: str,
    prediction: Tensor,
    reference: Tensor,
    target: Target,
    spacing_mm: Sequence[float] | None = None,
    scoring: SegmentationScoring | None = None,
) -> list[Row]:
    """Score one case on its own grid, a row for each class but the background.

    Args:
        case_id: The case.
        patient_id: Its patient, or the case itself where no patient is known.
        prediction: Codes `(*S)` integer, overlapping classes `(K, *S)` of 0 and 1.
        reference: Codes of the same shape and device.
        target: How the codes are meant.
        spacing_mm: Distance of voxel centres along each axis of S; None where it is unknown, as of a photograph: then
            there are neither distances nor volumes.
        scoring: What is computed beside the ratios, as `SegmentationScoring.at(stage)` gives it; None for nothing.

    Returns:
        In the order of the classes: case_id, patient_id, class, the ratios as float (0/0: see `ratios`), tp, fp, fn
        and tn as int; then the columns of `class_measures`.

    Raises:
        DataError: The shapes differ, or the spacing is none of this grid.
        ConfigError: A tolerance names an unknown class.
    """
    counts = _counts(prediction, reference, target)
    scores = {name: ratio(counts).tolist() for name, ratio in RATIOS.items()}
    rows: list[Row] = []
    for index, name in enumerate(target.foreground):
        row: Row = {"case_id": case_id, "patient_id": patient_id, "class": name}
        row |= {score: values[index] for score, values in scores.items()}
        row |= dict(zip(("tp", "fp", "fn", "tn"), counts[index].tolist(), strict=True))
        rows.append(row)
    if scoring is None:
        return rows
    scoring.check(target.foreground)
    spacing = _spacing(case_id, spacing_mm, prediction.ndim - isinstance(target, MultiLabel))
    further = class_measures(_array(prediction), _array(reference), counts, target, spacing, scoring)
    return [row | more for row, more in zip(rows, further, strict=True)]


def _counts(prediction: Tensor, reference: Tensor, target: Target) -> NDArray[np.int64]:
    if isinstance(target, MultiLabel):
        return confusion_counts(prediction.bool(), reference.bool())
    return code_counts(prediction, reference, len(target.names))[len(target.names) - len(target.foreground) :]


def _array(codes: Tensor) -> NDArray[np.integer]:
    array: NDArray[np.integer] = codes.cpu().numpy()
    return array.view(np.uint8) if array.dtype == np.bool_ else array


def _spacing(case_id: str, spacing_mm: Sequence[float] | None, dimensions: int) -> tuple[float, ...] | None:
    if spacing_mm is None:
        return None
    spacing = tuple(float(step) for step in spacing_mm)
    if len(spacing) != dimensions or not all(0 < step < math.inf for step in spacing):
        todo = "Give the spacing of the native grid in the order of its axes"
        expected = f"{dimensions} positive lengths in mm"
        raise DataError(expected_got(f"case {case_id}", "unusable spacing", expected, spacing, todo))
    return spacing
