"""Arithmetic in which what is undefined is NaN, without a warning."""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def divide(above: Floats, below: Floats) -> Floats:
    """Divide; NaN where the divisor is zero."""
    quotient: Floats = np.full(np.broadcast_shapes(above.shape, below.shape), np.nan)
    np.divide(above, below, out=quotient, where=below != 0)
    return quotient


def defined_mean(values: Floats) -> Floats:
    """Average the last axis over what is defined; NaN where nothing is."""
    defined = ~np.isnan(values)
    return divide(np.where(defined, values, 0.0).sum(-1), defined.sum(-1).astype(np.float64))
