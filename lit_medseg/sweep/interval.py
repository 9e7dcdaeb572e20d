"""How far the mean of a few runs can be trusted, and by how much settings have to differ."""

import math
import statistics
from collections.abc import Sequence
from functools import cache

LEVEL = 0.95
"""Of the intervals; settings differ where chance alone would do it in less than one sweep in twenty."""


def mean_interval(values: Sequence[float], shared: float = 0.0) -> tuple[float, float]:
    """Give the interval of a mean (Student's t).

    Source: for runs that share cases the corrected resampled t-test, Nadeau and Bengio 2003, Machine Learning 52,
    10.1023/A:1024068626366.

    Args:
        values: Of the runs.
        shared: Validation cases over training cases of a run, where runs train on each other's cases (of k folds
            1 / (k - 1)), which makes them more alike than independent ones; 0 for seeds.

    Returns:
        Lower and upper end, 95%; NaN for fewer than two runs.
    """
    if len(values) < 2:
        return math.nan, math.nan
    from scipy.stats import t  # noqa: PLC0415 (a second at every start)

    mean, error = statistics.fmean(values), statistics.stdev(values) * math.sqrt(1 / len(values) + shared)
    reach = float(t.ppf(0.5 + LEVEL / 2, len(values) - 1)) * error
    return mean - reach, mean + reach


def least_difference(table: Sequence[Sequence[float]], shared: float = 0.0) -> float:
    """Give the difference of means that chance alone seldom reaches between any two of several settings.

    Tukey's range test, with seeds or folds as blocks. A t-test for each pair does not know that the winner is the
    largest of many: with a dozen equal settings it calls one of them worse in every second sweep.

    Source: Tukey 1949, Biometrics 5, 10.2307/3001913; residuals of the two-way layout without interaction.

    Args:
        table: For each setting the values of its runs, in the same order of seeds or folds.
        shared: As for `mean_interval`.

    Returns:
        The difference; NaN where nothing can be told: fewer than two settings or runs, or no residual at all, of which
        nothing can be learnt about chance. Of two settings it is what a paired t-test asks for.
    """
    settings, runs = len(table), len(table[0]) if table else 0
    if settings < 2 or runs < 2:
        return math.nan
    rows = [statistics.fmean(row) for row in table]
    columns = [statistics.fmean(column) for column in zip(*table, strict=True)]
    mean = statistics.fmean(rows)
    residuals = [table[i][j] - rows[i] - columns[j] + mean for i in range(settings) for j in range(runs)]
    freedom = (settings - 1) * (runs - 1)
    deviation = math.sqrt(math.fsum(one**2 for one in residuals) / freedom)
    if deviation <= 1e-12 * max(map(abs, rows)):  # rounding
        return math.nan
    return _quantile(settings, freedom) * deviation * math.sqrt(1 / runs + shared)


@cache
def _quantile(settings: int, freedom: int) -> float:
    """Give the quantile of the studentized range; it takes a second."""
    from scipy.stats import studentized_range  # noqa: PLC0415 (a second at every start)

    return float(studentized_range.ppf(LEVEL, settings, freedom))
