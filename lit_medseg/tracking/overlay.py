"""Pictures of image, reference and prediction for the same few cases, and for the worst ones."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lightning.pytorch import Callback, LightningModule, Trainer
from torch import Tensor

from lit_medseg.target import Target
from lit_medseg.tracking.case_source import CaseSource, case_source, spread
from lit_medseg.tracking.evaluated import last_evaluation
from lit_medseg.tracking.file_name import file_name
from lit_medseg.tracking.find_logger import find_logger
from lit_medseg.tracking.panels import Segmented, draw_panels
from lit_medseg.tracking.picture import write_png


@dataclass(frozen=True)
class _Held:
    """A case that this rank has evaluated."""

    dice: float
    reference: Tensor
    prediction: Tensor


class Overlay(Callback):
    """Draws segmentations: the same validation cases every few epochs, and the worst cases of the test.

    The rank that has evaluated a case draws it; the first rank records all files.

    Args:
        cases: How many validation cases, spread evenly over the set.
        worst: How many test cases, those with the lowest Dice.
        every_n_epochs: Epochs between two drawings; the last validation of a training is always drawn.
    """

    def __init__(self, cases: int = 4, worst: int = 6, every_n_epochs: int = 10) -> None:
        self.cases = cases
        self.worst = worst
        self.every_n_epochs = every_n_epochs
        self._held: dict[str, _Held] = {}
        self._drawn_epoch = -1
        self._held_epoch = -1

    def on_validation_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Forget the last evaluation."""
        self._held = {}

    def on_test_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Forget the last evaluation."""
        self._held = {}

    def on_validation_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        """Hold the chosen cases."""
        source = case_source(trainer)
        if source is None or trainer.sanity_checking or "reference" not in batch:
            return
        self._hold(outputs, batch, set(spread(source.split.val, self.cases)))

    def on_test_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        """Hold the worst cases of this rank so far: the worst of all ranks are among them."""
        if "reference" in batch:
            self._hold(outputs, batch, set(batch["case_id"]))
            self._held = dict(sorted(self._held.items(), key=lambda item: (item[1].dice, item[0]))[: self.worst])

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Draw at every n-th epoch."""
        if trainer.sanity_checking:
            return
        self._held_epoch = trainer.current_epoch
        if trainer.state.fn != "fit" or (trainer.current_epoch + 1) % self.every_n_epochs == 0:
            self._draw_validation(trainer, pl_module)

    def on_fit_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Draw the last validation, whenever training ended."""
        if self._held_epoch > self._drawn_epoch:
            self._draw_validation(trainer, pl_module)

    def on_test_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Draw the worst test cases of all ranks."""
        evaluation = last_evaluation(pl_module, "test")
        if evaluation is not None and "dice" in evaluation.rows:
            means = evaluation.rows.groupby("case_id")["dice"].mean().sort_index().sort_values(kind="stable")
            worst = [str(case_id) for case_id in means.index[: self.worst]]
            names = {case_id: f"{rank:02d}_{file_name(case_id)}" for rank, case_id in enumerate(worst, start=1)}
            self._draw(trainer, pl_module, "overlays/test", names)

    def _draw_validation(self, trainer: Trainer, module: LightningModule) -> None:
        source = case_source(trainer)
        if source is None:
            return
        self._drawn_epoch = self._held_epoch
        names = {case_id: file_name(case_id) for case_id in spread(source.split.val, self.cases)}
        self._draw(trainer, module, f"overlays/val/epoch_{self._held_epoch + 1:04d}", names)

    def _hold(self, outputs: Any, batch: Any, wanted: set[str]) -> None:
        for number, case_id in enumerate(batch["case_id"]):
            if case_id in wanted:
                values = [float(row["dice"]) for row in outputs["rows"][number]]
                dice = sum(values) / len(values) if values else math.nan
                self._held[case_id] = _Held(dice, batch["reference"][number].cpu(), outputs["prediction"][number])

    def _draw(self, trainer: Trainer, module: LightningModule, folder: str, names: Mapping[str, str]) -> None:
        """Draw what this rank holds and record, on the first rank, what all have drawn."""
        logger, source = find_logger(trainer), case_source(trainer)
        target = getattr(module, "target", None)
        if logger is None or source is None or not isinstance(target, Target):
            return
        files = {case_id: logger.folder.path / folder / f"{name}.png" for case_id, name in names.items()}
        for case_id, path in files.items():
            if case_id in self._held:
                _draw_case(source, case_id, self._held[case_id], target, path)
        trainer.strategy.barrier("overlays")
        if trainer.is_global_zero:
            for path in files.values():
                if path.exists():
                    logger.log_artifact(path, folder)


def _draw_case(source: CaseSource, case_id: str, held: _Held, target: Target, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    title = f"{case_id}   Dice {held.dice:.3f}"
    reference, prediction = held.reference.numpy(), held.prediction.cpu().numpy()
    segmented = Segmented(title, source.native_image(case_id), reference, prediction, target)
    write_png(draw_panels(segmented), str(path))
