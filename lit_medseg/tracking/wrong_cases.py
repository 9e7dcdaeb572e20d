"""Pictures of the cases that a classifier gets wrong, the surest mistakes first."""

import pandas as pd
from lightning.pytorch import Callback, LightningModule, Trainer

from lit_medseg.tracking.case_source import case_source
from lit_medseg.tracking.evaluated import last_evaluation
from lit_medseg.tracking.find_logger import find_logger
from lit_medseg.tracking.picture import write_png
from lit_medseg.tracking.sheet import draw_sheet


class WrongCases(Callback):
    """Draws one sheet of wrongly classified cases after the last validation and after the test.

    Args:
        cases: How many at most.
    """

    def __init__(self, cases: int = 12) -> None:
        self.cases = cases

    def on_fit_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Draw the last validation's mistakes."""
        self._draw(trainer, pl_module, "val")

    def on_test_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Draw the test's mistakes."""
        self._draw(trainer, pl_module, "test")

    def _draw(self, trainer: Trainer, module: LightningModule, stage: str) -> None:
        logger, source, evaluation = find_logger(trainer), case_source(trainer), last_evaluation(module, stage)
        if logger is None or source is None or evaluation is None or not trainer.is_global_zero:
            return
        wrong = surest_mistakes(evaluation.rows, self.cases)
        if wrong.empty:
            return
        images = [source.native_image(case_id) for case_id in wrong["case_id"]]
        columns = [wrong[name].astype(str) for name in ("case_id", "label", "prediction")]
        captions = [
            (case_id, f"is {label or 'none'}", f"taken for {prediction or 'none'} ({certainty:.2f})")
            for case_id, label, prediction, certainty in zip(*columns, wrong["certainty"], strict=True)
        ]
        path = logger.folder.path / "overlays" / stage / "wrong_cases.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        write_png(draw_sheet(images, captions), str(path))
        logger.log_artifact(path, f"overlays/{stage}")


def surest_mistakes(rows: pd.DataFrame, count: int) -> pd.DataFrame:
    """Choose the wrong cases with the highest certainty.

    Args:
        rows: Per-case rows of a classification; of any other table nothing is chosen.
        count: How many at most.

    Returns:
        The rows with a column `certainty`: the highest probability among the classes; for overlapping classes the mean
        distance of the probabilities from one half, doubled.
    """
    chances = [column for column in rows.columns if column.startswith("p_")]
    if "label" not in rows or "prediction" not in rows or not chances:
        return pd.DataFrame({"case_id": [], "certainty": []})
    wrong = rows[rows["label"].astype(str) != rows["prediction"].astype(str)]
    overlapping = any(column.startswith("y_") for column in rows.columns)
    values = wrong[chances].astype(float)
    certainty = (values - 0.5).abs().mean(axis=1) * 2 if overlapping else values.max(axis=1)
    ordered = wrong.assign(certainty=certainty).sort_values(["certainty", "case_id"], ascending=[False, True])
    return ordered.head(count)
