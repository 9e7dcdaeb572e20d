"""Points of the curves and matrices that tracking draws for a classification."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lit_medseg.metrics.class_decisions import class_decisions
from lit_medseg.target import Target

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class CurvePoints:
    """ROC and precision-recall curve of one class against the rest, one point per useful threshold.

    Attributes:
        false_positive_rate: `(P,)`, rising from 0 to 1.
        true_positive_rate: `(P,)`, rising from 0 to 1.
        recall: `(Q,)`, falling to 0.
        precision: `(Q,)`, ends at 1 by convention.
    """

    false_positive_rate: Floats
    true_positive_rate: Floats
    recall: Floats
    precision: Floats


def curve_points(table: pd.DataFrame, target: Target) -> dict[str, CurvePoints]:
    """Compute the curves of every scored class (binary: of the positive one).

    Args:
        table: From `case_table` with rows of `classification_row`.
        target: The classes of those rows.

    Returns:
        By class name, in the order of the classes. A class without curves (only positives, only negatives, or a
        probability that is NaN) is left out; nothing without cases.
    """
    curves: dict[str, CurvePoints] = {}
    for one in class_decisions(table, target).values() if len(table) else ():
        for code, name in one.scored:
            positive, scores = one.labels == code, one.probabilities[:, code]
            if positive.any() and not positive.all() and not np.isnan(scores).any():
                curves[name] = _curves(positive, scores)
    return curves


def confusion_matrices(table: pd.DataFrame, target: Target) -> dict[str, NDArray[np.int64]]:
    """Count the decisions, row: truth, column: decision.

    Args:
        table: From `case_table` with rows of `classification_row`.
        target: The classes of those rows.

    Returns:
        Exclusive classes: one `(K, K)` matrix under the empty name. Overlapping: `(2, 2)`, absent and present, by
        class name. Nothing without cases.
    """
    from sklearn import metrics  # noqa: PLC0415 - at the end of an evaluation: its import would delay every start

    matrices: dict[str, NDArray[np.int64]] = {}
    for name, one in class_decisions(table, target).items() if len(table) else ():
        codes = np.arange(one.probabilities.shape[1])
        matrices[name] = metrics.confusion_matrix(one.labels, one.predictions, labels=codes).astype(np.int64)
    return matrices


def _curves(positive: NDArray[np.bool_], scores: Floats) -> CurvePoints:
    from sklearn import metrics  # noqa: PLC0415 - see above

    false_positive_rate, true_positive_rate, _ = metrics.roc_curve(positive, scores)
    precision, recall, _ = metrics.precision_recall_curve(positive, scores)
    return CurvePoints(false_positive_rate, true_positive_rate, recall, precision)
