"""Tells the watch over the ranks where this one is."""

from typing import Any

from lightning.pytorch import Callback, LightningModule, Trainer
from typing_extensions import override

from lit_medseg.cluster.position import Position
from lit_medseg.cluster.rank_launcher import RankLauncher
from lit_medseg.cluster.rank_watch import RankWatch


class FollowRanks(Callback):
    """Notes each rank's position at every hook, so that a rank which others wait for can be named.

    Does nothing on one rank, and in a script of the user's own. Has to stand first among the callbacks.
    """

    def __init__(self) -> None:
        self._watch: RankWatch | None = None
        self._section = 0

    @override
    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        launcher = trainer.strategy.launcher
        self._watch = launcher.watch if isinstance(launcher, RankLauncher) else None
        self._enter(f"setting up ({stage})")

    @override
    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._enter("at the start of fit")

    @override
    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._enter(f"at the start of epoch {trainer.current_epoch}, loading the first batch")

    @override
    def on_train_batch_start(self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int) -> None:
        self._step(trainer, batch_idx, 1, "in the forward pass of")

    @override
    def on_before_backward(self, trainer: Trainer, pl_module: LightningModule, loss: Any) -> None:
        self._step(trainer, trainer.fit_loop.batch_idx, 2, "in the backward pass of")

    @override
    def on_before_optimizer_step(self, trainer: Trainer, pl_module: LightningModule, optimizer: Any) -> None:
        self._step(trainer, trainer.fit_loop.batch_idx, 3, "in the optimizer's step of")

    @override
    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        self._step(trainer, batch_idx, 4, "after")

    @override
    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._enter(f"at the end of epoch {trainer.current_epoch}")

    @override
    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._enter("at the end of training")

    @override
    def on_save_checkpoint(self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]) -> None:
        if self._watch is not None:  # no section: one rank alone may save
            here = self._watch.position
            self._watch.at(Position(here.section, here.part, f"saving a checkpoint {here.text.split(', saving')[0]}"))

    @override
    def on_validation_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._enter("at the start of validation")

    @override
    def on_validation_batch_start(
        self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int, dataloader_idx: int = 0
    ) -> None:
        self._case("validation", batch_idx)

    @override
    def on_validation_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._enter("at the end of validation, gathering the scores")

    @override
    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._enter("after validation, writing tables and checkpoints")

    @override
    def on_test_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._enter("at the start of test")

    @override
    def on_test_batch_start(
        self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int, dataloader_idx: int = 0
    ) -> None:
        self._case("test", batch_idx)

    @override
    def on_test_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._enter("at the end of test, gathering the scores")

    @override
    def on_predict_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._enter("at the start of predict")

    @override
    def on_predict_batch_start(
        self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int, dataloader_idx: int = 0
    ) -> None:
        self._case("predict", batch_idx)

    @override
    def on_predict_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._enter("at the end of predict")

    @override
    def teardown(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        self._enter(f"after {stage}")

    def _enter(self, text: str) -> None:
        """Begin the next section; all ranks come through the same ones."""
        self._section += 1
        self._at(0, text, alone=False)

    def _step(self, trainer: Trainer, batch: int, phase: int, text: str) -> None:
        self._at(5 * batch + phase, f"{text} batch {batch} of epoch {trainer.current_epoch}", alone=False)

    def _case(self, stage: str, batch: int) -> None:
        self._at(batch + 1, f"in batch {batch} of {stage}", alone=True)

    def _at(self, part: int, text: str, alone: bool) -> None:
        if self._watch is not None:
            self._watch.at(Position(self._section, part, text, alone))
