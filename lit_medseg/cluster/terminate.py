"""Signals are the command's business, not Lightning's."""

from lightning.pytorch import Callback, LightningModule, Trainer
from typing_extensions import override


class TerminateLikeInterrupt(Callback):
    """Keeps Lightning's signal handlers out: signals are seen by `Interruption`.

    Lightning's handler for SIGTERM starts a collective inside the handler, which hangs where the other ranks are in
    another one, and those for SLURM write a checkpoint there, in the middle of a step. They are set after the last hook
    before the loops, so that they cannot be replaced in time. And its message between the ranks before every step,
    which a GPU has to be waited for, is not needed: see `Agreement`.
    """

    @override
    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        trainer._signal_connector.register_signal_handlers = _none  # type: ignore[method-assign]
        trainer.fit_loop.epoch_loop._broadcast_sigterm_tensor = _none  # type: ignore[method-assign]


def _none() -> None:
    """Do nothing."""
