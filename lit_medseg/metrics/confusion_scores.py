"""Scores of exclusive decisions that follow from their confusion matrix, for many weightings at once.

Every function takes matrices `(R, K, K)` (row: truth, column: decision) and gives NaN, never a warning, where a score
is undefined.
"""

import numpy as np
from numpy.typing import NDArray

from lit_medseg.metrics.defined import defined_mean, divide

Floats = NDArray[np.float64]


def weighted_confusion(
    weights: Floats, labels: NDArray[np.int64], predictions: NDArray[np.int64], classes: int
) -> Floats:
    """Count decisions.

    Args:
        weights: `(R, N)`, how often each case counts.
        labels: `(N,)` codes below `classes`.
        predictions: `(N,)` codes below `classes`.
        classes: K.

    Returns:
        `(R, K, K)`.
    """
    cells = np.eye(classes * classes)[labels * classes + predictions]
    matrices: Floats = (weights @ cells).reshape(-1, classes, classes)
    return matrices


def accuracy(matrices: Floats) -> Floats:
    """Share of right decisions `(R,)`."""
    return divide(_right(matrices).sum(-1), matrices.sum((1, 2)))


def balanced_accuracy(matrices: Floats) -> Floats:
    """Mean sensitivity of the classes that occur `(R,)`; NaN with fewer than two of them.

    Source: Brodersen et al., The balanced accuracy and its posterior distribution, 2010, doi:10.1109/ICPR.2010.764.
    """
    recalls = sensitivity(matrices)
    return np.where((~np.isnan(recalls)).sum(-1) < 2, np.nan, defined_mean(recalls))


def kappa(matrices: Floats) -> Floats:
    """Agreement beyond chance `(R,)`, in [-1, 1]; NaN where chance alone agrees always.

    Source: J. Cohen, A coefficient of agreement for nominal scales, 1960, doi:10.1177/001316446002000104.
    """
    total = matrices.sum((1, 2))
    expected = divide((matrices.sum(1) * matrices.sum(2)).sum(-1), total)
    return divide(_right(matrices).sum(-1) - expected, total - expected)


def sensitivity(matrices: Floats) -> Floats:
    """TP / (TP + FN) of each class against the rest `(R, K)`; NaN for a class that does not occur."""
    return divide(_right(matrices), matrices.sum(2))


def specificity(matrices: Floats) -> Floats:
    """TN / (TN + FP) of each class against the rest `(R, K)`; NaN where no other class occurs."""
    negatives = matrices.sum((1, 2))[:, None] - matrices.sum(2)
    return divide(negatives - (matrices.sum(1) - _right(matrices)), negatives)


def f1(matrices: Floats) -> Floats:
    """2 TP / (2 TP + FP + FN) of each class against the rest `(R, K)`; NaN for a class neither there nor decided."""
    return divide(2 * _right(matrices), matrices.sum(1) + matrices.sum(2))


def _right(matrices: Floats) -> Floats:
    """The diagonal, `(R, K)`."""
    return np.diagonal(matrices, axis1=1, axis2=2)
