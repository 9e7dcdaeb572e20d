"""Figures of an evaluation: confusion matrices, curves, spread of Dice."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from numpy.typing import NDArray

from lit_medseg.metrics.curve_points import CurvePoints
from lit_medseg.tracking.palette import class_colour


def confusion_figure(matrix: NDArray[np.int64], names: list[str], title: str) -> Figure:
    """Draw a confusion matrix, row: truth, column: decision; the shade is the share of the row.

    Args:
        matrix: `(K, K)` counts.
        names: The K classes.
        title: Above the matrix.
    """
    side = max(4.0, 0.7 * len(names) + 2.5)
    figure, axes = _empty(side + 0.8, side)
    shares = matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1)
    drawn = axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    for (row, column), count in np.ndenumerate(matrix):
        colour = "white" if shares[row, column] > 0.5 else "black"
        axes.text(
            column, row, f"{count}\n{shares[row, column]:.0%}", ha="center", va="center", color=colour, fontsize=9
        )
    axes.set_xticks(range(len(names)), names, rotation=30 if len(names) > 3 else 0)
    axes.set_yticks(range(len(names)), names)
    axes.set(xlabel="decision", ylabel="truth", title=title)
    figure.colorbar(drawn, ax=axes, label="share of the truth", fraction=0.046)
    return figure


def roc_figure(curves: Mapping[str, CurvePoints], areas: Mapping[str, float]) -> Figure:
    """Draw the ROC curves, each class with its area where that is known."""
    figure, axes = _empty(5.5, 5.0)
    axes.plot([0, 1], [0, 1], color="0.6", linestyle=":", linewidth=1)
    for index, (name, points) in enumerate(curves.items()):
        label = _label(name, "AUROC", areas.get(name))
        axes.plot(points.false_positive_rate, points.true_positive_rate, color=_hex(index), label=label)
    axes.set(
        xlabel="false positive rate", ylabel="true positive rate", title="ROC", xlim=(-0.01, 1.01), ylim=(-0.01, 1.01)
    )
    axes.legend(loc="lower right", fontsize=9)
    return figure


def precision_recall_figure(curves: Mapping[str, CurvePoints], areas: Mapping[str, float]) -> Figure:
    """Draw the precision-recall curves, each class with its average precision where that is known."""
    figure, axes = _empty(5.5, 5.0)
    for index, (name, points) in enumerate(curves.items()):
        # Average precision sums steps; straight lines between the points would promise more.
        label = _label(name, "AP", areas.get(name))
        axes.step(points.recall, points.precision, where="post", color=_hex(index), label=label)
    axes.set(xlabel="recall", ylabel="precision", title="Precision and recall", xlim=(-0.01, 1.01), ylim=(-0.01, 1.01))
    axes.legend(loc="lower left", fontsize=9)
    return figure


def dice_figure(rows: pd.DataFrame) -> Figure:
    """Draw each case's Dice by class: every case a dot, the quartiles a box.

    Args:
        rows: Per-case rows of a segmentation, columns `class` and `dice`.
    """
    names = [str(name) for name in rows["class"].unique()]
    values = [rows.loc[rows["class"].astype(str) == name, "dice"].dropna().to_numpy(float) for name in names]
    figure, axes = _empty(max(4.0, 1.3 * len(names) + 1.5), 4.5)
    axes.boxplot(values, tick_labels=names, showfliers=False, widths=0.5, medianprops={"color": "black"})
    random = np.random.default_rng(0)
    for index, column in enumerate(values):
        places = index + 1 + random.uniform(-0.17, 0.17, len(column))
        axes.scatter(places, column, s=10, alpha=0.6, color=_hex(index), linewidths=0)
    axes.set(ylabel="Dice", title=f"Dice of {rows['case_id'].nunique()} cases", ylim=(-0.02, 1.02))
    axes.grid(axis="y", color="0.9")
    return figure


def _empty(width: float, height: float) -> tuple[Figure, Axes]:
    figure = Figure(figsize=(width, height), layout="constrained", dpi=120)
    FigureCanvasAgg(figure)
    return figure, figure.subplots()


def _hex(index: int) -> str:
    return "#{:02x}{:02x}{:02x}".format(*class_colour(index))


def _label(name: str, what: str, value: float | None) -> str:
    return name if value is None else f"{name} ({what} {value:.3f})"
