"""Chooses post-processing during a validation."""

import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from lightning.pytorch import Callback, LightningModule, Trainer
from typing_extensions import override

from lit_medseg.batch import Batch
from lit_medseg.inference.post_process.choose import ChosenPostProcessing, choose_post_processing
from lit_medseg.inference.post_process.store_batch import store_batch
from lit_medseg.inference.post_process.stored_masks import StoredMasks
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
        store_batch(self._masks, f"{trainer.global_rank}-{batch_idx:06d}", outputs, batch)

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
