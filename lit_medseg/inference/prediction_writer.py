"""Predictions as files: a mask an image, tables of what they measure and of what failed."""

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
from lightning.pytorch import Callback, LightningModule, Trainer
from torch import Tensor
from typing_extensions import override

from lit_medseg.batch import Batch
from lit_medseg.catalogue.case import Case
from lit_medseg.imaging.whole_file import whole_file
from lit_medseg.inference.case_images import case_images
from lit_medseg.inference.case_measurements import case_measurements
from lit_medseg.inference.prediction_files import PredictionFiles
from lit_medseg.inference.skipped_case import SkippedCase, nameless, skipped_case
from lit_medseg.metrics.gather import gather_rows
from lit_medseg.target import MultiLabel, Target

TABLE, MEASUREMENTS, FAILED = "predictions.csv", "measurements.csv", "failed.csv"


@dataclass(frozen=True)
class Predicted:
    """What a prediction has come to, on every rank.

    Attributes:
        files: File by case, relative to the folder; empty texts for labels, which are in one table.
        rows: The rows of the table, `predictions.csv` or `measurements.csv`.
        skipped: The cases that failed.
        replaced: How many files were there before.
    """

    files: Mapping[str, str]
    rows: Sequence[Mapping[str, Any]]
    skipped: Sequence[SkippedCase]
    replaced: int


class PredictionWriter(Callback):
    """Writes what `predict` finds, case by case: a broken one is told, and the others go on.

    Segmentation: masks and perhaps probabilities as `PredictionFiles` has them, and `measurements.csv`. Classification:
    `predictions.csv` with the decision and the probability of every class. Either way `failed.csv`, where a case
    failed. Every rank writes the masks of its own cases, the first one the tables. Earlier files of the same names are
    replaced, others are left alone.

    Args:
        files: Where and how masks are written; for labels only its folder counts.
        cases: The cases by id, those with masks at least.
        skipped: Cases that have failed before, the same on every rank.
        masks: Whether the task gives masks.
    """

    def __init__(
        self, files: PredictionFiles, cases: Mapping[str, Case], skipped: Sequence[SkippedCase], masks: bool
    ) -> None:
        self.files, self.cases, self.masks = files, cases, masks
        self.found: Predicted | None = None
        self._earlier = list(skipped)
        self._skipped: list[SkippedCase] = []
        self._rows: list[dict[str, Any]] = []
        self._written: list[tuple[str, str]] = []

    @override
    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        # the first rank alone knows the run's folder
        self.files.folder = trainer.strategy.broadcast(self.files.folder)

    @override
    def on_predict_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: Any,
        batch: Batch,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        for skipped in (*batch.get("skipped", []), *outputs.get("skipped", [])):
            self._skip(skipped)
        for number in range(len(outputs["prediction"])):
            case_id = batch["case_id"][number]
            try:
                if self.masks:
                    self._write_masks(batch, outputs, number)
                else:
                    self._rows.append(
                        label_row(
                            case_id, outputs["prediction"][number], outputs["probabilities"][number], self.files.target
                        )
                    )
                    self._written.append((case_id, ""))
            except Exception as error:  # whatever one case is stopped by, the others go on
                self._skip(skipped_case(case_id, "writing", error))

    @override
    def on_predict_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        rows, written = gather_rows(self._rows), gather_rows(self._written)
        skipped = [*self._earlier, *sorted(gather_rows(self._skipped), key=lambda one: one.case_id)]
        self.found = Predicted(dict(sorted(written)), rows, skipped, sum(gather_rows([self.files.replaced])))
        if trainer.is_global_zero:
            name = MEASUREMENTS if self.masks else TABLE
            _write_table(self.files.folder / name, rows, ["case_id"])
            _write_table(self.files.folder / FAILED, [one.plain() for one in skipped], [])

    def _write_masks(self, batch: Batch, outputs: Any, number: int) -> None:
        case_id, trace = batch["case_id"][number], batch["trace"][number]
        codes = outputs["prediction"][number].cpu().numpy()
        images = case_images(self.files.source, self.cases[case_id], trace)
        rows = case_measurements(case_id, codes, self.files.target, trace, images)
        if "planes" in outputs:
            self.files.write_probabilities(case_id, outputs["planes"][number], trace)
        file = self.files.write_mask(case_id, codes, trace)
        self._rows += rows
        self._written.append((case_id, file.as_posix()))
        try:
            self.files.write_segments(case_id, codes, trace, images)
        except Exception as error:  # of a series without the headers that it takes; the case is done all the same
            self._skip(skipped_case(case_id, "DICOM-SEG", error))

    def _skip(self, skipped: SkippedCase) -> None:
        skipped = nameless(skipped, self.cases.get(skipped.case_id))
        self._skipped.append(skipped)
        what = "no DICOM-SEG" if skipped.stage == "DICOM-SEG" else "skipped"
        print(f"{what}: {skipped.reason}", file=sys.stderr, flush=True)  # noqa: T201


def label_row(case_id: str, prediction: Tensor, probability: Tensor, target: Target) -> dict[str, Any]:
    """Write one line of `predictions.csv`.

    Args:
        case_id: The case.
        prediction: Code `()`, overlapping classes `(K,)` of 0 and 1.
        probability: `(channels,)`.
        target: The classes.
    """
    names = target.names
    if isinstance(target, MultiLabel):
        decided = "|".join(name for name, bit in zip(names, prediction.tolist(), strict=True) if bit)
    else:
        decided = names[int(prediction)]
    shares = probability.tolist()
    shares = [1 - shares[0], shares[0]] if len(shares) == 1 else shares
    return {
        "case_id": case_id,
        "prediction": decided,
        **{f"p_{name}": share for name, share in zip(names, shares, strict=True)},
    }


def _write_table(path: Path, rows: Sequence[Mapping[str, Any]], order: list[str]) -> None:
    """Write a table; one without rows is removed, lest an earlier one speak for this prediction."""
    if not rows:
        path.unlink(missing_ok=True)
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    table = pd.DataFrame(rows)
    table = table.sort_values(order, kind="stable") if order else table
    with whole_file(path) as half:
        table.to_csv(half, index=False, lineterminator="\n")
