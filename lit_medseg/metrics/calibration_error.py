"""Expected calibration error, for many weightings of the same cases at once."""

import numpy as np
from numpy.typing import NDArray

from lit_medseg.metrics.defined import divide

Floats = NDArray[np.float64]


def weighted_calibration_error(
    weights: Floats, correct: NDArray[np.bool_], confidence: Floats, bins: int = 15
) -> Floats:
    """Mean gap between how sure and how right the decisions are, over bins of confidence of equal width.

    Source: Guo et al., On calibration of modern neural networks, 2017, arXiv:1706.04599, equations 2, 3 and 5; bins
    are (a, b], zero goes to the first.

    Args:
        weights: `(R, N)`, how often each case counts, >= 0.
        correct: `(N,)`, whether the decision was right.
        confidence: `(N,)` in [0, 1], the probability of the decision taken.
        bins: How many.

    Returns:
        `(R,)` in [0, 1]; NaN where no case has weight, or a confidence is NaN.
    """
    if np.isnan(confidence).any():
        return np.full(len(weights), np.nan)
    index = np.searchsorted(np.linspace(0, 1, bins + 1), confidence, side="left") - 1
    gaps = np.zeros((len(confidence), bins))
    gaps[np.arange(len(confidence)), index.clip(0, bins - 1)] = correct - confidence
    return divide(np.abs(weights @ gaps).sum(1), weights.sum(1))
