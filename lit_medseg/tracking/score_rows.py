"""Scores and their intervals, ready for a table."""

import math
from collections.abc import Mapping


def score_rows(scores: Mapping[str, float]) -> list[tuple[str, str, str]]:
    """Pair each score with its interval.

    Args:
        scores: By name, with `<name>/ci_low` and `<name>/ci_high` where there is an interval.

    Returns:
        Name, value with four digits (`-` where undefined), and the 95% interval (empty where there is none).
    """
    rows = []
    for name, value in scores.items():
        if name.endswith(("/ci_low", "/ci_high")):
            continue
        low, high = scores.get(f"{name}/ci_low", math.nan), scores.get(f"{name}/ci_high", math.nan)
        interval = "" if math.isnan(low) or math.isnan(high) else f"{low:.4f} to {high:.4f}"
        rows.append((name, "-" if math.isnan(value) else f"{value:.4f}", interval))
    return rows
