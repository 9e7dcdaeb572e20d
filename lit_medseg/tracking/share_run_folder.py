"""The run folder, known to all ranks."""

from lightning.pytorch import Callback, LightningModule, Trainer
from typing_extensions import override

from lit_medseg.tracking.find_logger import find_logger


class ShareRunFolder(Callback):
    """Tells every rank where the first one has made the run folder; has to stand before what writes into it."""

    @override
    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        logger = find_logger(trainer)
        if logger is not None:
            logger.folder = trainer.strategy.broadcast(logger.folder)
