"""The best checkpoint as an artifact of the run."""

from pathlib import Path

from lightning.pytorch import Callback, LightningModule, Trainer

from lit_medseg.tracking.find_logger import find_logger


class CheckpointArtifact(Callback):
    """Records the best checkpoint as `checkpoints/<its file name>` when training is over, whatever its end."""

    def on_fit_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Record the file."""
        _record(trainer)

    def on_exception(self, trainer: Trainer, pl_module: LightningModule, exception: BaseException) -> None:
        """Record what there is."""
        _record(trainer)


def _record(trainer: Trainer) -> None:
    logger, checkpoint = find_logger(trainer), trainer.checkpoint_callback
    best = Path(str(getattr(checkpoint, "best_model_path", "") or ""))
    if logger is None or not trainer.is_global_zero or not best.is_file():
        return
    # Lightning gives an absolute path without links; the run folder is as the user wrote it.
    best, root = best.resolve(), logger.folder.path.resolve()
    if best.is_relative_to(root):
        logger.log_artifact(logger.folder.path / best.relative_to(root), "checkpoints")
