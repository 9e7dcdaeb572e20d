"""Figures of the last validation and of the test, as artifacts."""

from lightning.pytorch import Callback, LightningModule, Trainer
from matplotlib.figure import Figure

from lit_medseg.metrics.curve_points import confusion_matrices, curve_points
from lit_medseg.metrics.evaluation import Evaluation
from lit_medseg.tracking.evaluated import last_evaluation
from lit_medseg.tracking.figures import confusion_figure, dice_figure, precision_recall_figure, roc_figure
from lit_medseg.tracking.file_name import file_name
from lit_medseg.tracking.find_logger import find_logger


class Curves(Callback):
    """Draws confusion matrix, ROC and precision-recall curves; for a segmentation, the spread of Dice by class."""

    def on_fit_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Draw the last validation."""
        _draw(trainer, pl_module, "val")

    def on_test_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Draw the test."""
        _draw(trainer, pl_module, "test")


def _draw(trainer: Trainer, module: LightningModule, stage: str) -> None:
    logger, evaluation = find_logger(trainer), last_evaluation(module, stage)
    if logger is None or evaluation is None or not trainer.is_global_zero:
        return
    folder = logger.folder.path / "curves" / stage
    folder.mkdir(parents=True, exist_ok=True)
    for name, figure in evaluation_figures(evaluation).items():
        path = folder / f"{name}.png"
        figure.savefig(path)
        logger.log_artifact(path, f"curves/{stage}")


def evaluation_figures(evaluation: Evaluation) -> dict[str, Figure]:
    """Make the figures that fit an evaluation.

    Returns:
        Figures by file name; none for an evaluation without cases.
    """
    rows, target, scores = evaluation.rows, evaluation.target, evaluation.scores
    if rows.empty:
        return {}
    if "dice" in rows:
        return {"dice": dice_figure(rows)}
    figures = {}
    for name, matrix in confusion_matrices(rows, target).items():
        names = [f"not {name}", name] if name else list(target.names)
        figures[f"confusion_{file_name(name)}" if name else "confusion"] = confusion_figure(
            matrix, names, f"{len(rows)} cases"
        )
    curves = curve_points(rows, target)
    if curves:
        areas = {name: _score(scores, "auroc", name, len(curves)) for name in curves}
        precisions = {name: _score(scores, "average_precision", name, len(curves)) for name in curves}
        figures["roc"] = roc_figure(curves, {name: area for name, area in areas.items() if area is not None})
        figures["precision_recall"] = precision_recall_figure(
            curves, {name: area for name, area in precisions.items() if area is not None}
        )
    return figures


def _score(scores: dict[str, float], metric: str, name: str, count: int) -> float | None:
    """Find a class's score; of a lone class the score itself."""
    return scores.get(f"{metric}/{name}", scores.get(metric) if count == 1 else None)
