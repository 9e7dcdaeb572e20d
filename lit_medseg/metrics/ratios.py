"""Segmentation scores as ratios of pixel counts, with one rule for what is empty.

Every function takes counts `(..., 4)` int64 (true positives, false positives, false negatives, true negatives) and
gives `(...)` float64 in [0, 1].

The rule where a ratio is 0/0: 1.0 when nothing was left to find and nothing was found (reference and prediction both
empty), else 0.0: an empty prediction has no precision to boast of. Specificity without a negative pixel is 1.0, since
no false alarm is possible.
"""

import numpy as np
from numpy.typing import NDArray

Counts = NDArray[np.int64]
Scores = NDArray[np.float64]


def dice(counts: Counts) -> Scores:
    """2 TP / (2 TP + FP + FN); both empty 1.0."""
    tp, fp, fn, _ = _split(counts)
    return _ratio(2 * tp, 2 * tp + fp + fn, counts)


def iou(counts: Counts) -> Scores:
    """TP / (TP + FP + FN), the Jaccard index; both empty 1.0."""
    tp, fp, fn, _ = _split(counts)
    return _ratio(tp, tp + fp + fn, counts)


def precision(counts: Counts) -> Scores:
    """TP / (TP + FP); empty prediction 0.0, both empty 1.0."""
    tp, fp, _, _ = _split(counts)
    return _ratio(tp, tp + fp, counts)


def recall(counts: Counts) -> Scores:
    """TP / (TP + FN), the sensitivity; empty reference 0.0, both empty 1.0."""
    tp, _, fn, _ = _split(counts)
    return _ratio(tp, tp + fn, counts)


def specificity(counts: Counts) -> Scores:
    """TN / (TN + FP); a reference that fills the image 1.0."""
    _, fp, _, tn = _split(counts)
    return np.where(tn + fp == 0, 1.0, _ratio(tn, tn + fp, counts))


def accuracy(counts: Counts) -> Scores:
    """(TP + TN) / all."""
    tp, _, _, tn = _split(counts)
    return _ratio(tp + tn, counts.sum(-1), counts)


def _split(counts: Counts) -> tuple[Counts, Counts, Counts, Counts]:
    return counts[..., 0], counts[..., 1], counts[..., 2], counts[..., 3]


def _ratio(above: Counts, below: Counts, counts: Counts) -> Scores:
    both_empty = counts[..., :3].sum(-1) == 0
    filled = np.where(both_empty, 1.0, 0.0)
    return np.divide(above, below, out=filled, where=below > 0)


RATIOS = {
    "dice": dice,
    "iou": iou,
    "precision": precision,
    "recall": recall,
    "specificity": specificity,
    "accuracy": accuracy,
}
"""The columns that every case has, in their order; the others are `measures.MEASURES`."""
