"""What the out-of-fold results say together."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from lit_medseg.catalogue.classes import Classes, MaskClasses
from lit_medseg.crossval.out_of_fold import FOLD
from lit_medseg.metrics.bootstrap import Bootstrap
from lit_medseg.metrics.classification_scores import classification_scores
from lit_medseg.metrics.segmentation_scores import segmentation_scores

Scores = dict[str, float]
_NO_SCORE = ("/ci_low", "/ci_high", "/undefined")


@dataclass(frozen=True)
class CrossvalScores:
    """Scores of a cross-validation, by name as `test` has them: `dice`, `dice/<class>`, `auroc`, ...

    Attributes:
        pooled: Of the table of all cases at once, with 95% intervals over patients (`dice/ci_low`, `dice/ci_high`).
            Segmentation: the mean over cases. Classification: AUROC and the like rank cases of different folds against
            each other, so they differ from the mean over folds.
        folds: Of each fold's cases alone, by fold.
        means: The mean over the folds in which a score is defined.
        deviations: The standard deviation over these folds (n - 1); NaN for fewer than two.
    """

    pooled: Scores
    folds: Mapping[int, Scores]
    means: Scores
    deviations: Scores

    def metrics(self) -> Scores:
        """Give them as metrics: `cv/<score>`, its interval, `cv/<score>/fold_mean` and `cv/<score>/fold_std`."""
        found = {f"cv/{name}": value for name, value in self.pooled.items()}
        found |= {f"cv/{name}/fold_mean": value for name, value in self.means.items()}
        return found | {f"cv/{name}/fold_std": value for name, value in self.deviations.items()}


def crossval_scores(table: pd.DataFrame, classes: Classes, bootstrap: Bootstrap | None = None) -> CrossvalScores:
    """Score the table of all cases, and each fold's part of it.

    Args:
        table: From `out_of_fold`.
        classes: The declared classes: they say which task it is.
        bootstrap: How the intervals of the pooled scores are computed; None for the usual way.

    Raises:
        DataError: A case lacks a class.
    """
    score = _scorer(classes)
    pooled = score(table.drop(columns=FOLD), Bootstrap() if bootstrap is None else bootstrap)
    numbers = sorted(set(table[FOLD].tolist()))
    folds = {number: score(table[table[FOLD] == number].drop(columns=FOLD), None) for number in numbers}
    names = [name for name in pooled if not name.endswith(_NO_SCORE)]
    columns = {name: np.array([found.get(name, math.nan) for found in folds.values()]) for name in names}
    defined = {name: values[~np.isnan(values)] for name, values in columns.items()}
    means = {name: float(values.mean()) if len(values) else math.nan for name, values in defined.items()}
    spread = {name: float(values.std(ddof=1)) if len(values) > 1 else math.nan for name, values in defined.items()}
    return CrossvalScores(pooled, folds, means, spread)


def inner_scores(table: pd.DataFrame, classes: Classes) -> dict[int, Scores]:
    """Score what the inner folds of each outer fold found on the cases outside its test part.

    Args:
        table: From `out_of_fold` with inner folds.
        classes: The declared classes.

    Returns:
        Scores without intervals by outer fold: what to choose by, since none of them has seen the fold's test part.
    """
    score = _scorer(classes)
    found = {}
    for number in sorted(set(table[FOLD].tolist())):
        rows = table[table[FOLD] == number].drop(columns=[FOLD, "inner_fold"])
        found[number] = score(rows.sort_values("case_id", kind="stable", ignore_index=True), None)
    return found


def _scorer(classes: Classes) -> Callable[[pd.DataFrame, Bootstrap | None], Scores]:
    if isinstance(classes, MaskClasses):
        return segmentation_scores
    target = classes.target()
    return lambda table, bootstrap: classification_scores(table, target, bootstrap)
