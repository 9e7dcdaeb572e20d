"""Aggregates of the scores of segmented cases."""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lit_medseg.errors import DataError, expected_got
from lit_medseg.metrics.bootstrap import Bootstrap, mean_interval
from lit_medseg.metrics.segmentation_rows import RATIOS


def segmentation_scores(table: pd.DataFrame, bootstrap: Bootstrap | None = None) -> dict[str, float]:
    """Average over cases: each class alone, and the mean of the classes.

    Args:
        table: From `case_table`, every case with the same classes.
        bootstrap: How to compute the intervals; None for no intervals.

    Returns:
        For each ratio: `dice`, `dice/<class>` and, with intervals, `dice/ci_low`, `dice/ci_high`,
        `dice/<class>/ci_low`, `dice/<class>/ci_high` (NaN with fewer than two patients). Nothing without cases.

    Raises:
        DataError: A case lacks a class.
    """
    if table.empty:
        return {}
    classes = list(dict.fromkeys(table["class"]))
    values = _by_case(table, classes)
    keys = [f"{ratio}{suffix}" for ratio in RATIOS for suffix in ("", *(f"/{name}" for name in classes))]
    scores = dict(zip(keys, values.mean(axis=0).tolist(), strict=True))
    if bootstrap is not None:
        patients = table["patient_id"].to_list()[:: len(classes)]
        low, high = mean_interval(values, patients, bootstrap).tolist()
        scores |= {f"{key}/ci_low": end for key, end in zip(keys, low, strict=True)}
        scores |= {f"{key}/ci_high": end for key, end in zip(keys, high, strict=True)}
    return scores


def _by_case(table: pd.DataFrame, classes: list[str]) -> NDArray[np.float64]:
    """Lay the scores out as `(cases, ratios x (mean, class, class, ...))`."""
    cases = table["case_id"].nunique()
    if table["class"].to_list() != classes * cases:
        todo = "Score every class of every case"
        raise DataError(expected_got("table of cases", "a case lacks a class", classes, f"{len(table)} rows", todo))
    values = table[list(RATIOS)].to_numpy(dtype=np.float64).reshape(cases, len(classes), len(RATIOS))
    with_mean = np.concatenate([values.mean(axis=1, keepdims=True), values], axis=1)
    return with_mean.transpose(0, 2, 1).reshape(cases, -1)
