"""Aggregates of the results of classified cases."""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lit_medseg.metrics import confusion_scores
from lit_medseg.metrics.bootstrap import Bootstrap, weighted_interval
from lit_medseg.metrics.calibration_error import weighted_calibration_error
from lit_medseg.metrics.class_decisions import ClassDecisions, class_decisions
from lit_medseg.metrics.defined import defined_mean
from lit_medseg.metrics.ranking_scores import weighted_auroc, weighted_average_precision
from lit_medseg.target import Target

Floats = NDArray[np.float64]


def classification_scores(table: pd.DataFrame, target: Target, bootstrap: Bootstrap | None = None) -> dict[str, float]:
    """Score classified cases; an undefined score is NaN, never an error or a warning.

    Keys: `accuracy`, `balanced_accuracy`, `kappa`, `ece` (of the decision); `auroc`, `average_precision`, `f1`,
    `sensitivity`, `specificity` (of the positive class).

    Binary: just these; the second class is the positive one. Multi-class: the latter also per class against the rest
    (`auroc/<class>`); without a class they are the macro mean. Overlapping: all of them per class, as the decision
    between absent and present, and as macro mean. A macro mean is over the classes in which the score is defined.

    Args:
        table: From `case_table` with rows of `classification_row`.
        target: The classes of those rows.
        bootstrap: How to compute the intervals; None for no intervals.

    Returns:
        The scores and, with intervals, `<key>/ci_low` and `<key>/ci_high` (NaN with fewer than two patients); nothing
        without cases.
    """
    if table.empty:
        return {}
    decisions = class_decisions(table, target)
    found = _scores(np.ones((1, len(table))), decisions)
    scores = {key: float(values[0]) for key, values in found.items()}
    if bootstrap is not None:
        patients = table["patient_id"].to_list()
        low, high = weighted_interval(
            lambda weights: np.stack(list(_scores(weights, decisions).values()), axis=1), patients, bootstrap
        ).tolist()
        scores |= {f"{key}/ci_low": end for key, end in zip(found, low, strict=True)}
        scores |= {f"{key}/ci_high": end for key, end in zip(found, high, strict=True)}
    return scores


def _scores(weights: Floats, decisions: dict[str, ClassDecisions]) -> dict[str, Floats]:
    """Every score by key, `(R,)` each, for R weightings of the cases."""
    if "" in decisions:
        return _of_decision(weights, decisions[""]) | _of_classes(weights, decisions[""])
    parts = [_of_decision(weights, one) | _of_classes(weights, one) for one in decisions.values()]
    scores = {key: defined_mean(np.stack([part[key] for part in parts], axis=-1)) for key in parts[0]}
    for name, part in zip(decisions, parts, strict=True):
        scores |= {f"{key}/{name}": values for key, values in part.items()}
    return scores


def _of_decision(weights: Floats, one: ClassDecisions) -> dict[str, Floats]:
    """Scores of the decision as a whole."""
    matrices = confusion_scores.weighted_confusion(weights, one.labels, one.predictions, one.probabilities.shape[1])
    return {
        "accuracy": confusion_scores.accuracy(matrices),
        "balanced_accuracy": confusion_scores.balanced_accuracy(matrices),
        "kappa": confusion_scores.kappa(matrices),
        "ece": weighted_calibration_error(weights, one.labels == one.predictions, one.confidence),
    }


def _of_classes(weights: Floats, one: ClassDecisions) -> dict[str, Floats]:
    """Scores of each scored class against the rest, and their mean."""
    matrices = confusion_scores.weighted_confusion(weights, one.labels, one.predictions, one.probabilities.shape[1])
    codes = [code for code, _ in one.scored]
    ranked = [(weights, one.labels == code, one.probabilities[:, code]) for code in codes]
    by_class = {
        "auroc": np.stack([weighted_auroc(*problem) for problem in ranked], axis=-1),
        "average_precision": np.stack([weighted_average_precision(*problem) for problem in ranked], axis=-1),
        "f1": confusion_scores.f1(matrices)[:, codes],
        "sensitivity": confusion_scores.sensitivity(matrices)[:, codes],
        "specificity": confusion_scores.specificity(matrices)[:, codes],
    }
    scores = {key: defined_mean(values) for key, values in by_class.items()}
    if len(codes) > 1:
        for column, (_, name) in enumerate(one.scored):
            scores |= {f"{key}/{name}": values[:, column] for key, values in by_class.items()}
    return scores
