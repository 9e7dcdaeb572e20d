"""How far the mean of a few runs can be trusted, and whether two settings differ."""

import math
import statistics
from collections.abc import Sequence

LEVEL = 0.95
"""Of the intervals; two settings differ where chance alone would do it in less than one in twenty."""


def mean_interval(values: Sequence[float]) -> tuple[float, float]:
    """Give the interval of a mean (Student's t).

    Args:
        values: Of independent runs.

    Returns:
        Lower and upper end, 95%; NaN for fewer than two runs.
    """
    if len(values) < 2:
        return math.nan, math.nan
    from scipy.stats import t  # noqa: PLC0415 (a second at every start)

    mean, error = statistics.fmean(values), statistics.stdev(values) / math.sqrt(len(values))
    reach = float(t.ppf(0.5 + LEVEL / 2, len(values) - 1)) * error
    return mean - reach, mean + reach


def differ(one: Sequence[float], other: Sequence[float]) -> bool:
    """Tell whether two settings differ by more than chance (paired t-test: the runs share seeds or folds).

    Args:
        one: Values of the runs of a setting.
        other: Those of the other one, in the same order of seeds or folds.

    Returns:
        False also where there are fewer than two pairs: nothing can be told then. Equal differences other than zero
        in all pairs are a difference.
    """
    differences = [a - b for a, b in zip(one, other, strict=False)]
    if len(differences) < 2:
        return False
    spread = statistics.stdev(differences)
    if spread == 0:
        return differences[0] != 0
    from scipy.stats import t  # noqa: PLC0415 (a second at every start)

    statistic = abs(statistics.fmean(differences)) / (spread / math.sqrt(len(differences)))
    return bool(2 * t.sf(statistic, len(differences) - 1) < 1 - LEVEL)
