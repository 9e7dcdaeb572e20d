"""Area under the ROC curve and average precision, for many weightings of the same cases at once.

scikit-learn and torchmetrics have both for one weighting a call; a bootstrap of ten scores would call them 10,000
times, and they warn or raise where a draw lacks a class.
"""

import numpy as np
from numpy.typing import NDArray

from lit_medseg.metrics.defined import divide

Floats = NDArray[np.float64]


def weighted_auroc(weights: Floats, positive: NDArray[np.bool_], scores: Floats) -> Floats:
    """Probability that a positive case has a higher score than a negative one, ties counted half.

    Source: J. A. Hanley and B. J. McNeil, 1982, doi:10.1148/radiology.143.1.7063747.

    Args:
        weights: `(R, N)`, how often each case counts, >= 0.
        positive: `(N,)`.
        scores: `(N,)`, higher is more positive.

    Returns:
        `(R,)` in [0, 1]; NaN where only one class has weight, or a score is NaN.
    """
    if np.isnan(scores).any() or len(scores) == 0:
        return np.full(len(weights), np.nan)
    hits, alarms = _by_threshold(weights, positive, scores)
    total_hits, total_alarms = hits.sum(1), alarms.sum(1)
    above = np.cumsum(hits, axis=1) - hits / 2
    return divide((alarms * above).sum(1), total_hits * total_alarms)


def weighted_average_precision(weights: Floats, positive: NDArray[np.bool_], scores: Floats) -> Floats:
    """Precision at every threshold, weighted by the recall gained there; nothing is interpolated.

    Source: scikit-learn's `average_precision_score`; why not interpolated: J. Davis and M. Goadrich, 2006,
    doi:10.1145/1143844.1143874.

    Args:
        weights: `(R, N)`, how often each case counts, >= 0.
        positive: `(N,)`.
        scores: `(N,)`, higher is more positive.

    Returns:
        `(R,)` in [0, 1]; 1.0 without a negative; NaN where no positive has weight, or a score is NaN.
    """
    if np.isnan(scores).any() or len(scores) == 0:
        return np.full(len(weights), np.nan)
    hits, alarms = _by_threshold(weights, positive, scores)
    found = np.cumsum(hits, axis=1)
    precision = np.nan_to_num(divide(found, found + np.cumsum(alarms, axis=1)))
    return divide((hits * precision).sum(1), found[:, -1])


def _by_threshold(weights: Floats, positive: NDArray[np.bool_], scores: Floats) -> tuple[Floats, Floats]:
    """Weight of the positives and of the negatives at each distinct score, highest score first: `(R, scores)` each."""
    order = np.argsort(-scores, kind="stable")
    ordered = scores[order]
    starts = np.flatnonzero(np.r_[True, ordered[1:] != ordered[:-1]])
    hits = np.add.reduceat((weights * positive)[:, order], starts, axis=1)
    alarms = np.add.reduceat((weights * ~positive)[:, order], starts, axis=1)
    return hits, alarms
