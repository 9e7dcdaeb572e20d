"""Chooses post-processing during a validation."""

import shutil
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from lightning.pytorch import Callback, LightningModule, Trainer
from typing_extensions import override

from lit_medseg.batch import Batch
from lit_medseg.inference.post_process.choose import ChosenPostProcessing, PredictedCase, choose_post_processing
from lit_medseg.target import Target


class PostProcessChooser(Callback):
    """Keeps the masks of a validation on the disk, and chooses on them when it is over.

    Args:
        folder: Where a temporary folder for the masks is made; every rank sees it.
        target: The classes.
        chosen: Called on the first rank with the result.
    """

    def __init__(self, folder: Path, target: Target, chosen: Callable[[ChosenPostProcessing], None]) -> None:
        self.folder, self.target, self.chosen = folder, target, chosen
        self._masks = folder
        self._count = 0

    @override
    def on_validation_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        made = tempfile.mkdtemp(prefix=".masks-", dir=self.folder) if trainer.is_global_zero else ""
        self._masks = Path(trainer.strategy.broadcast(made))

    @override
    def on_validation_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: Any,
        batch: Batch,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        for number, prediction in enumerate(outputs["prediction"]):
            trace = batch["trace"][number]
            np.savez_compressed(
                self._masks / f"{trainer.global_rank}-{self._count:06d}.npz",
                patient_id=batch["patient_id"][number],
                case_id=batch["case_id"][number],
                prediction=_small(prediction.cpu().numpy()),
                reference=_small(batch["reference"][number].cpu().numpy()),
                spacing_mm=trace.known_mm or (),
            )
            self._count += 1

    @override
    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        trainer.strategy.barrier("masks")
        if trainer.is_global_zero:
            try:
                self.chosen(choose_post_processing(StoredMasks(self._masks), self.target))
            finally:
                shutil.rmtree(self._masks, ignore_errors=True)

    @override
    def on_exception(self, trainer: Trainer, pl_module: LightningModule, exception: BaseException) -> None:
        if self._masks != self.folder:
            shutil.rmtree(self._masks, ignore_errors=True)


@dataclass(frozen=True)
class StoredMasks:
    """Reads one case after the other, each time it is gone through, in the order of the case ids.

    Attributes:
        folder: Of the `.npz` files.
    """

    folder: Path

    def __iter__(self) -> Iterator[PredictedCase]:
        """Give the cases."""
        order: dict[str, Path] = {}
        for file in sorted(self.folder.glob("*.npz")):
            with np.load(file) as found:
                order[str(found["case_id"])] = file
        for case_id in sorted(order):
            with np.load(order[case_id]) as found:
                spacing = tuple(float(step) for step in found["spacing_mm"]) or None
                yield PredictedCase(str(found["patient_id"]), found["prediction"], found["reference"], spacing)


def _small(codes: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    return codes.astype(np.uint8 if codes.max() < 256 else np.uint16)
