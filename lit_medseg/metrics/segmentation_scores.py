"""Aggregates of the scores of segmented cases."""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lit_medseg.errors import DataError, expected_got
from lit_medseg.metrics.bootstrap import Bootstrap, mean_interval
from lit_medseg.metrics.defined import divide
from lit_medseg.metrics.measures import MEASURES
from lit_medseg.metrics.ratios import RATIOS

Floats = NDArray[np.float64]


def segmentation_scores(table: pd.DataFrame, bootstrap: Bootstrap | None = None) -> dict[str, float]:
    """Average over cases: each class alone, and the mean of the classes.

    What is undefined (NaN) is left out of a mean, and counted: of a case's mean over its classes, and of the mean over
    the cases.

    Args:
        table: From `case_table`, every case with the same classes.
        bootstrap: How to compute the intervals; None for no intervals.

    Returns:
        For each ratio, and each of `MEASURES` that the table has: `dice`, `dice/<class>` and, with intervals,
        `dice/ci_low`, `dice/ci_high`, `dice/<class>/ci_low`, `dice/<class>/ci_high` (NaN with fewer than two patients,
        or where it is undefined in every case). For each of `MEASURES` also `hd95_mm/undefined`, how many rows (case
        and class) have no value, and `hd95_mm/<class>/undefined` where there is such a case. Nothing without cases.

    Raises:
        DataError: A case lacks a class.
    """
    if table.empty:
        return {}
    classes = list(dict.fromkeys(table["class"]))
    columns = [*RATIOS, *(name for name in MEASURES if name in table)]
    by_class = _by_class(table, classes, columns)
    values = _with_mean(by_class)
    keys = [f"{column}{suffix}" for column in columns for suffix in ("", *(f"/{name}" for name in classes))]
    scores = dict(zip(keys, _defined_mean(values, axis=0).tolist(), strict=True))
    if bootstrap is not None:
        patients = table["patient_id"].to_list()[:: len(classes)]
        low, high = mean_interval(values, patients, bootstrap).tolist()
        scores |= {f"{key}/ci_low": end for key, end in zip(keys, low, strict=True)}
        scores |= {f"{key}/ci_high": end for key, end in zip(keys, high, strict=True)}
    return scores | _undefined(by_class, classes, columns)


def _by_class(table: pd.DataFrame, classes: list[str], columns: list[str]) -> Floats:
    """Lay the scores out as `(cases, classes, columns)`."""
    cases = table["case_id"].nunique()
    if table["class"].to_list() != classes * cases:
        todo = "Score every class of every case"
        raise DataError(expected_got("table of cases", "a case lacks a class", classes, f"{len(table)} rows", todo))
    return table[columns].to_numpy(dtype=np.float64).reshape(cases, len(classes), len(columns))


def _with_mean(by_class: Floats) -> Floats:
    """Lay the scores out as `(cases, columns x (mean, class, class, ...))`."""
    with_mean = np.concatenate([_defined_mean(by_class, axis=1)[:, None], by_class], axis=1)
    return with_mean.transpose(0, 2, 1).reshape(len(by_class), -1)


def _defined_mean(values: Floats, axis: int) -> Floats:
    """Average along an axis over what is defined; NaN where nothing is."""
    defined = ~np.isnan(values)
    if defined.all():
        mean: Floats = values.mean(axis=axis)
        return mean
    return divide(np.where(defined, values, 0.0).sum(axis=axis), defined.sum(axis=axis).astype(np.float64))


def _undefined(by_class: Floats, classes: list[str], columns: list[str]) -> dict[str, float]:
    """Count the rows without a value, of the columns that may lack one."""
    counts = np.isnan(by_class).sum(axis=0)
    scores: dict[str, float] = {}
    for number, column in enumerate(columns):
        if column in MEASURES:
            scores[f"{column}/undefined"] = float(counts[:, number].sum())
            missing = zip(classes, counts[:, number].tolist(), strict=True)
            scores |= {f"{column}/{name}/undefined": float(count) for name, count in missing if count}
    return scores
