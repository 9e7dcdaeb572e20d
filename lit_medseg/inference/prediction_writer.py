"""Predictions as files: a mask an image, a table for labels."""

import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np
import pandas as pd
from lightning.pytorch import Callback, LightningModule, Trainer
from torch import Tensor
from typing_extensions import override

from lit_medseg.batch import Batch
from lit_medseg.imaging.write_png import write_png
from lit_medseg.metrics.gather import gather_rows
from lit_medseg.target import MultiLabel, Target

TABLE = "predictions.csv"
_LONGEST = 240
"""Characters of a file's name; the common limit is 255 bytes with its ending."""


class PredictionWriter(Callback):
    """Writes what `predict` finds, in the form in which the data set's own truth comes.

    Segmentation: `<folder>/<case>.png` with the values that the YAML's `masks` give the classes, on the image's own
    grid; overlapping classes `<folder>/<class>/<case>.png` with 255 where the class is. Classification: one table with
    the decision and the probability of every class. Every rank writes the masks of its own cases.

    Args:
        folder: Made if need be.
        target: The classes.
        values: Value in the mask file by code; None for classification.
    """

    def __init__(self, folder: Path, target: Target, values: Sequence[int] | None) -> None:
        self.folder = folder
        self.target = target
        self.values = values
        self._rows: list[dict[str, Any]] = []

    @override
    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        # the first rank alone knows the run's folder
        self.folder = trainer.strategy.broadcast(self.folder)

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
        for number, (case_id, prediction) in enumerate(zip(batch["case_id"], outputs["prediction"], strict=True)):
            if self.values is None:
                self._rows.append(self._row(case_id, prediction, outputs["probabilities"][number]))
            else:
                self._write_mask(case_id, prediction)

    @override
    def on_predict_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        rows = gather_rows(self._rows)
        if trainer.is_global_zero and rows:
            self.folder.mkdir(parents=True, exist_ok=True)
            table = pd.DataFrame(rows).sort_values("case_id", kind="stable")
            table.to_csv(self.folder / TABLE, index=False, lineterminator="\n")

    def _write_mask(self, case_id: str, prediction: Tensor) -> None:
        name = _file_name(case_id)
        if isinstance(self.target, MultiLabel):
            for plane, class_name in zip(prediction, self.target.names, strict=True):
                self._write(Path(_folder_name(class_name)) / name, plane.numpy().astype(np.uint8) * 255)
            return
        values = np.array(self.values)
        self._write(name, values[prediction.numpy()].astype(np.uint8 if values.max() < 256 else np.uint16))

    def _write(self, name: Path, mask: np.ndarray[Any, Any]) -> None:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        write_png(path, mask[None])

    def _row(self, case_id: str, prediction: Tensor, probability: Tensor) -> dict[str, Any]:
        names = self.target.names
        if isinstance(self.target, MultiLabel):
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


def _file_name(case_id: str) -> Path:
    """Turn a case id into a file below the folder, one to one; slashes stay folders, a way upwards does not."""
    parts = [_folder_name(part) for part in case_id.split("/") if part]
    return Path(*parts[:-1], f"{parts[-1]}.png")


def _folder_name(text: str) -> str:
    """Turn any text into one name that a file system takes; one that is too long is cut and ends with a checksum."""
    name = quote(text, safe=" ") if text.strip(".") else text.replace(".", "%2E")
    return name if len(name) <= _LONGEST else f"{name[: _LONGEST - 9]}-{zlib.crc32(text.encode()):08x}"
