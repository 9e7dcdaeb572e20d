"""What a cross-validation prints, and the text and the tables of its run."""

from collections.abc import Mapping

import pandas as pd
from rich.table import Table

from lit_medseg.crossval.fold_scores import CrossvalScores, Scores
from lit_medseg.crossval.out_of_fold import FOLD
from lit_medseg.tracking.score_rows import score_rows

_MOST_COLUMNS = 3
_FIRST = ("dice", "hd95_mm", "surface_dice", "lesion_sensitivity", "auroc", "balanced_accuracy", "average_precision")
"""Scores that the narrow table of folds shows before others."""


def score_table(scores: CrossvalScores) -> Table:
    """Lay the scores out for the terminal: of all cases with their interval, mean and spread over the folds."""
    table = _table("score", "all cases", "95% interval", "mean of folds", "std")
    for row in _rows(scores):
        table.add_row(*row)
    return table


def fold_table(scores: CrossvalScores, oof: pd.DataFrame) -> Table:
    """Lay the folds out for the terminal, a row each."""
    names = [name for name in scores.means if "/" not in name]
    names = [*(name for name in _FIRST if name in names), *(name for name in names if name not in _FIRST)]
    names = names[:_MOST_COLUMNS]
    table = _table("fold", "cases", "patients", *names)
    for number, found in scores.folds.items():
        rows = oof[oof[FOLD] == number]
        counts = (str(rows["case_id"].nunique()), str(rows["patient_id"].nunique()))
        table.add_row(str(number), *counts, *(_text(found.get(name, float("nan"))) for name in names))
    return table


def inner_table(inner: Mapping[int, Scores], scores: CrossvalScores, key: str) -> Table:
    """Set the inner folds' score against the outer one, fold by fold."""
    table = _table("fold", f"{key} of its inner folds", f"{key} of its test cases")
    for number, found in inner.items():
        outer = scores.folds.get(number, {})
        table.add_row(str(number), _text(found.get(key, float("nan"))), _text(outer.get(key, float("nan"))))
    return table


def fold_frame(scores: CrossvalScores, oof: pd.DataFrame, runs: Mapping[int, str]) -> pd.DataFrame:
    """Give every score of every fold as a table to keep.

    Args:
        scores: Of the folds.
        oof: The table of all cases.
        runs: Name of each fold's run.
    """
    rows = []
    for number, found in scores.folds.items():
        own = oof[oof[FOLD] == number]
        counts = {"cases": own["case_id"].nunique(), "patients": own["patient_id"].nunique()}
        rows.append({FOLD: number, "run": runs[number], **counts, **found})
    return pd.DataFrame(rows)


def crossval_note(command: str, data: str, plan: str, scores: CrossvalScores) -> str:
    """Sum the cross-validation up in Markdown, for its page in MLflow.

    Args:
        command: The command line, without absolute paths.
        data: Name of the data set.
        plan: How the folds are drawn.
        scores: Of all cases and of the folds.
    """
    lines = [f"`{command}`", "", f"**Data** {data}, {plan}", ""]
    lines += ["| score | all cases | 95% interval | mean of folds | std over folds |", "| - | - | - | - | - |"]
    return "\n".join([*lines, *(f"| {' | '.join(row)} |" for row in _rows(scores))])


def _table(*columns: str) -> Table:
    """Make a table whose cells stay on one line."""
    table = Table()
    for name in columns:
        table.add_column(name, no_wrap=True)
    return table


def _rows(scores: CrossvalScores) -> list[tuple[str, ...]]:
    """Pair each score with its interval, mean and spread; by class only Dice, the rest is in the files."""
    rows: list[tuple[str, ...]] = []
    for name, value, interval in score_rows(scores.pooled):
        if name in scores.means and ("/" not in name or name.startswith("dice/")):
            rows.append((name, value, interval, _text(scores.means[name]), _text(scores.deviations[name])))
    return rows


def _text(value: float) -> str:
    return "-" if value != value else f"{value:.4f}"  # noqa: PLR0124  NaN is no equal of itself
