"""Bootstrap intervals over patients.

Images of one patient resemble each other, so whole patients are drawn, with replacement, and each brings all its
cases: an interval over single images would be too narrow.

Source: B. Efron, Bootstrap methods: another look at the jackknife, Annals of Statistics 7 (1979) 1-26,
doi:10.1214/aos/1176344552; clusters: C. A. Field and A. H. Welsh, Bootstrapping clustered data, Journal of the Royal
Statistical Society B 69 (2007) 369-390, doi:10.1111/j.1467-9868.2007.00593.x ("the randomized cluster bootstrap").
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lit_medseg.metrics.defined import divide

Floats = NDArray[np.float64]
_BLOCK = 2_000_000
"""Most weights held at once (16 MB), so that a table of many cases fits in memory."""


@dataclass(frozen=True)
class Bootstrap:
    """How to resample.

    Attributes:
        resamples: Number of draws.
        seed: Same seed, patients and number of draws: same interval.
        level: Coverage of the percentile interval.
    """

    resamples: int = 1000
    seed: int = 0
    level: float = 0.95


def mean_interval(values: Floats, patients: Sequence[str], bootstrap: Bootstrap) -> Floats:
    """Interval of the mean over cases.

    Args:
        values: `(N, M)`: M scores of N cases; a NaN is left out of the mean.
        patients: N patient ids, one a case.
        bootstrap: How to resample.

    Returns:
        `(2, M)`, lower and upper end; NaN with fewer than two patients, and for a score that no case has.
    """
    defined = ~np.isnan(values)
    if defined.all():
        return weighted_interval(lambda weights: weights @ values / weights.sum(1, keepdims=True), patients, bootstrap)
    filled, ones = np.where(defined, values, 0.0), defined.astype(np.float64)
    return weighted_interval(lambda weights: divide(weights @ filled, weights @ ones), patients, bootstrap)


def statistic_interval(
    statistic: Callable[[NDArray[np.intp]], float], patients: Sequence[str], bootstrap: Bootstrap
) -> Floats:
    """Interval of any statistic of the rows, one call per draw; slow where a weighted form exists.

    Args:
        statistic: Takes the indices of the cases drawn (a case comes as often as its patient was drawn); may give NaN.
        patients: N patient ids, one a case.
        bootstrap: How to resample.

    Returns:
        `(2,)`, lower and upper end; NaN with fewer than two patients.
    """
    cases = np.arange(len(patients))

    def rowwise(weights: Floats) -> Floats:
        return np.array([[statistic(np.repeat(cases, row.astype(np.intp)))] for row in weights])

    return weighted_interval(rowwise, patients, bootstrap)[:, 0]


def weighted_interval(statistic: Callable[[Floats], Floats], patients: Sequence[str], bootstrap: Bootstrap) -> Floats:
    """Interval of a statistic that can be computed for many draws at once.

    Args:
        statistic: Takes weights `(R, N)`, how often each of the N cases was drawn in each of R draws; gives `(R, M)`,
            NaN where a draw leaves it undefined (no positive case drawn, say).
        patients: N patient ids, one a case.
        bootstrap: How to resample.

    Returns:
        `(2, M)`, lower and upper end over the draws in which the statistic is defined; NaN where it never is, and
        with fewer than two patients, whose spread nobody knows.
    """
    blocks = [statistic(weights) for weights in patient_weights(patients, bootstrap)]
    draws = np.concatenate(blocks) if blocks else statistic(np.ones((1, len(patients))))
    ends = np.full((2, draws.shape[1]), np.nan)
    if len(set(patients)) < 2:
        return ends
    tail = 50 * (1 - bootstrap.level)
    for column, values in enumerate(draws.T):
        defined = values[~np.isnan(values)]
        if len(defined):
            ends[:, column] = np.percentile(defined, [tail, 100 - tail])
    return ends


def patient_weights(patients: Sequence[str], bootstrap: Bootstrap) -> Iterator[Floats]:
    """Draw as many patients as there are, with replacement, again and again.

    Args:
        patients: N patient ids, one a case; the draw depends on their sorted set, not on the order of the cases.
        bootstrap: How to resample.

    Yields:
        Weights `(R, N)` in blocks whose R sum to the number of draws: how often each case was drawn.
    """
    names, owner = np.unique(np.asarray(patients, dtype=str), return_inverse=True)
    rng = np.random.default_rng(bootstrap.seed)
    block = max(1, _BLOCK // max(1, len(owner)))
    for start in range(0, bootstrap.resamples if len(names) > 1 else 0, block):
        rows = min(block, bootstrap.resamples - start)
        drawn = rng.integers(len(names), size=(rows, len(names)))
        flat = (drawn + len(names) * np.arange(rows)[:, None]).ravel()
        counts = np.bincount(flat, minlength=rows * len(names)).reshape(rows, len(names))
        yield counts[:, owner].astype(np.float64)
