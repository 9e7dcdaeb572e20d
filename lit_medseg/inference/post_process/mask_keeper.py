"""Keeps the predicted masks of a test on the disk."""

import shutil
from pathlib import Path
from typing import Any

from lightning.pytorch import Callback, LightningModule, Trainer
from typing_extensions import override

from lit_medseg.batch import Batch
from lit_medseg.inference.post_process.store_batch import store_batch


class MaskKeeper(Callback):
    """Writes prediction and reference of every test case, as `StoredMasks` reads them.

    Args:
        folder: Where; what an earlier test left there is removed. Every rank sees it.
    """

    def __init__(self, folder: str) -> None:
        self.folder = Path(folder)

    @override
    def on_test_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if trainer.is_global_zero:
            shutil.rmtree(self.folder, ignore_errors=True)
            self.folder.mkdir(parents=True)
        trainer.strategy.barrier("mask folder")

    @override
    def on_test_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: Any,
        batch: Batch,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        store_batch(self.folder, f"{trainer.global_rank}-{batch_idx:06d}", outputs, batch)
