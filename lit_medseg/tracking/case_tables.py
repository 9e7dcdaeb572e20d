"""The table of all cases after each evaluation."""

from lightning.pytorch import Callback, LightningModule, Trainer

from lit_medseg.metrics.case_table import write_case_table
from lit_medseg.tracking.evaluated import last_evaluation
from lit_medseg.tracking.find_logger import find_logger


class CaseTables(Callback):
    """Writes `cases/val.csv` and `cases/test.csv` into the run folder and records them as artifacts.

    The validation's table is the last one; it becomes an artifact when training, or `validate`, is over.
    """

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Write the table; a sanity check before training leaves none."""
        if not trainer.sanity_checking:
            _write(trainer, pl_module, "val", record=trainer.state.fn != "fit")

    def on_fit_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Record the last validation's table."""
        _write(trainer, pl_module, "val", record=True)

    def on_test_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Write and record the table."""
        _write(trainer, pl_module, "test", record=True)


def _write(trainer: Trainer, module: LightningModule, stage: str, *, record: bool) -> None:
    logger, evaluation = find_logger(trainer), last_evaluation(module, stage)
    if logger is None or evaluation is None or not trainer.is_global_zero:
        return
    path = logger.folder.path / "cases" / f"{stage}.csv"
    write_case_table(evaluation.rows, path)
    if record:
        logger.log_artifact(path, "cases")
