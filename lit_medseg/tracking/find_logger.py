"""The run's logger of a trainer."""

from lightning.pytorch import Trainer

from lit_medseg.tracking.run_logger import RunLogger


def find_logger(trainer: Trainer) -> RunLogger | None:
    """Find the run's logger; None where the trainer has none (a benchmark, `fast_dev_run`)."""
    for logger in trainer.loggers:
        if isinstance(logger, RunLogger):
            return logger
    return None
