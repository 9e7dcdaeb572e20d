"""What segmentation and classification share: optimisation, and evaluation that is exact on any number of ranks."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, NotRequired, Self, TypedDict

import pandas as pd
import torch
import torch.distributed as dist
from lightning.pytorch import LightningModule
from lightning.pytorch.cli import LRSchedulerCallable, OptimizerCallable
from lightning.pytorch.utilities.types import LRSchedulerConfigType, OptimizerLRScheduler
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import ReduceLROnPlateau
from typing_extensions import override

from lit_medseg.batch import Batch
from lit_medseg.errors import ConfigError
from lit_medseg.inference.native_planes import NativePlanes
from lit_medseg.inference.skipped_case import SkippedCase, skipped_case
from lit_medseg.losses.composite_loss import loss_and_terms
from lit_medseg.metrics.bootstrap import Bootstrap
from lit_medseg.metrics.case_table import case_table
from lit_medseg.metrics.evaluation import Evaluation
from lit_medseg.metrics.gather import gather_rows
from lit_medseg.metrics.row import Row
from lit_medseg.networks.full_resolution import levels
from lit_medseg.networks.gradient_checkpointing import checkpoint_parts
from lit_medseg.target import Target
from lit_medseg.tasks.execution import Execution
from lit_medseg.tasks.fine_tuning import FineTuning
from lit_medseg.tasks.learning_rate_scaling import check_scheduler_keeps
from lit_medseg.tasks.memory_layout import LAYOUTS, channels_innermost
from lit_medseg.tasks.parameter_groups import freeze, parameter_groups
from lit_medseg.tasks.running_means import RunningMeans
from lit_medseg.tasks.start_weights import load_start_weights
from lit_medseg.tasks.step_schedule import StepSchedule


class StepOutput(TypedDict):
    """What an evaluation step gives to callbacks, one entry a case of the batch."""

    prediction: list[Tensor]
    """Codes, integers, on the CPU: masks on the native grid, or the label `()` (overlapping `(K,)`)."""
    rows: NotRequired[list[list[Row]]]
    """The case's lines of the per-case table; absent without a reference."""
    probabilities: NotRequired[list[Tensor]]
    """Classification: `(channels,)` float64 on the CPU."""
    planes: NotRequired[list[NativePlanes]]
    """Segmentation, where probabilities are kept: those of each class on the native grid."""
    skipped: NotRequired[list[SkippedCase]]
    """Cases that could not be predicted; they have no prediction."""


class Task(LightningModule, ABC):
    """A network, its loss and its optimizer.

    Attributes:
        monitor: The metric that chooses the best checkpoint; larger is better.
        dense: True where the logits have the image's grid.
        evaluation: What the last validation or test found; the same on every rank.
        learning_rate_factor: Multiplies the optimizer's learning rates; the command line sets it from the batch size.
    """

    monitor: str
    dense: bool

    def __init__(
        self,
        network: nn.Module,
        loss: nn.Module,
        optimizer: OptimizerCallable | None,
        lr_scheduler: LRSchedulerCallable | None,
        target: Target | None,
        fine_tuning: FineTuning,
        execution: Execution,
    ) -> None:
        """Set up; see the subclasses for the arguments.

        Raises:
            ConfigError: No target, or the fine-tuning names parts that the network lacks.
            CheckpointError: The start weights do not fit.
        """
        super().__init__()
        if target is None:
            raise ConfigError(
                "target: not given, expected the coding of the classes, got none. "
                "The command line takes it from the data."
            )
        self.network = network
        self.loss = loss
        # no default in the signature: a parser would hand what it sets on to the class that a YAML names instead
        self.optimizer: OptimizerCallable = torch.optim.AdamW if optimizer is None else optimizer
        self.lr_scheduler = lr_scheduler
        self.target = target
        self.fine_tuning = fine_tuning
        self.execution = execution
        self.learning_rate_factor = 1.0
        self.evaluation: Evaluation | None = None
        self._evaluated: list[tuple[str, float, list[Row]]] = []
        self._losses = RunningMeans()
        if fine_tuning.start_from is not None:
            load_start_weights(network, fine_tuning.start_from)
        self._frozen = freeze(network, fine_tuning.frozen)
        if execution.channels_last:
            channels_innermost(network)
        checkpoint_parts(network, execution.checkpointed)
        if execution.compile:
            network.compile()  # in place: the names of the weights stay

    @abstractmethod
    def truth(self, batch: Batch) -> Tensor:
        """Give the codes that the loss compares the logits with."""

    @abstractmethod
    def evaluate_cases(self, batch: Batch, logits: Tensor) -> StepOutput:
        """Turn the logits of whole cases into predictions and, where there is a reference, rows."""

    @abstractmethod
    def evaluation_logits(self, image: Tensor) -> Tensor:
        """Compute the logits of whole cases `(B, C, *S)`."""

    @abstractmethod
    def scores(self, table: pd.DataFrame, bootstrap: Bootstrap | None) -> dict[str, float]:
        """Aggregate the per-case table, with intervals where a bootstrap is given."""

    @override
    def forward(self, image: Tensor) -> Tensor:
        return self.network(self._layout(image))  # type: ignore[no-any-return]

    @override
    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        logits = levels(self(batch["image"]), batch["image"].ndim)
        count = len(batch["case_id"])
        loss, terms = loss_and_terms(self.loss, logits, self.truth(batch))
        self._losses.add({"": loss, **{f"/{name}": value for name, value in terms.items()}}, count)
        return loss

    @override
    def on_train_epoch_end(self) -> None:
        means = {f"train/loss{name}": value for name, value in self._losses.means().items()}
        self.log_dict(means, prog_bar=True, batch_size=1, rank_zero_only=False)  # equal on all ranks
        self._losses = RunningMeans()

    def rank_state(self) -> dict[str, Any]:
        """Give the epoch's losses so far, for a checkpoint within it."""
        return {"losses": self._losses.plain()}

    def load_rank_state(self, states: Sequence[dict[str, Any]], rank: int) -> None:
        """Take over the losses so far: of this rank, or of all where there were another number of ranks."""
        self._losses = RunningMeans.of_rank([state["losses"] for state in states], rank)

    @override
    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        found = self.evaluation
        checkpoint["evaluation"] = None if found is None else found.plain()

    @override
    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        found = checkpoint.get("evaluation")
        if found is not None:
            self.evaluation = Evaluation.from_plain(found, self.target)

    @override
    def validation_step(self, batch: Batch, batch_idx: int) -> StepOutput:
        return self._evaluation_step(batch)

    @override
    def test_step(self, batch: Batch, batch_idx: int) -> StepOutput:
        return self._evaluation_step(batch)

    @override
    def predict_step(self, batch: Batch, batch_idx: int) -> StepOutput:
        if not batch["case_id"]:
            return {"prediction": []}
        try:
            return self.evaluate_batch(batch)[0]
        except Exception as error:  # of whatever kind: one case must not take the others with it
            skipped = [skipped_case(case_id, "prediction", error) for case_id in batch["case_id"]]
            return {"prediction": [], "skipped": skipped}

    def _evaluation_step(self, batch: Batch) -> StepOutput:
        if not batch["case_id"]:  # the rank has no batch left while others have
            return {"prediction": [], "rows": []}
        output, losses = self.evaluate_batch(batch)
        self._evaluated += zip(batch["case_id"], losses, output["rows"], strict=True)
        return output

    def evaluate_batch(self, batch: Batch) -> tuple[StepOutput, list[float]]:
        """Predict whole cases and, where there is a reference, score them and compute the loss of each."""
        logits = self.evaluation_logits(self._layout(batch["image"]))
        output = self.evaluate_cases(batch, logits)
        if "rows" not in output:
            return output, []
        truth = self.truth(batch)
        cases = [slice(number, number + 1) for number in range(len(logits))]
        return output, [float(self.loss(logits[case], truth[case])) for case in cases]

    @override
    def on_validation_epoch_start(self) -> None:
        self._start_evaluation()

    @override
    def on_test_epoch_start(self) -> None:
        self._start_evaluation()

    @override
    def on_validation_epoch_end(self) -> None:
        self._finish_evaluation("val")

    @override
    def on_test_epoch_end(self) -> None:
        self._finish_evaluation("test")

    def _start_evaluation(self) -> None:
        self._evaluated = []
        # batch statistics differ from rank to rank after a training step; an evaluation has to see one network
        if dist.is_available() and dist.is_initialized():
            for buffer in self.buffers():
                dist.broadcast(buffer, src=0)

    def _finish_evaluation(self, stage: str) -> None:
        gathered = {case_id: (loss, rows) for case_id, loss, rows in gather_rows(self._evaluated)}
        if not gathered:
            return
        cases = [gathered[case_id] for case_id in sorted(gathered)]
        table = case_table(row for _, rows in cases for row in rows)
        # intervals cost more than a small data set's validation: they are for the evaluation that is reported
        bootstrap = None if self.trainer.state.fn == "fit" else Bootstrap()
        scores = {"loss": sum(loss for loss, _ in cases) / len(cases), **self.scores(table, bootstrap)}
        self.evaluation = Evaluation(stage=stage, rows=table, scores=scores, target=self.target)
        # every rank holds all rows, so the numbers are equal without a collective
        self.log_dict({f"{stage}/{name}": value for name, value in scores.items()}, batch_size=1, rank_zero_only=False)

    def make_optimizer(self) -> tuple[Optimizer, Any]:
        """Build the optimizer of the trained parameters, and its scheduler or None."""
        tuning = self.fine_tuning
        probe = self.optimizer([nn.Parameter(torch.zeros(1))])
        rate = probe.defaults["lr"] * self.learning_rate_factor
        groups = parameter_groups(self.network, tuning.encoder, tuning.encoder_lr_factor, rate)
        optimizer = self.optimizer([{"lr": rate, **group} for group in groups])
        if self.lr_scheduler is None:
            return optimizer, None
        rates = [group["lr"] for group in optimizer.param_groups]
        scheduler = self.lr_scheduler(optimizer)
        if self.learning_rate_factor != 1:
            check_scheduler_keeps(optimizer, rates)
        return optimizer, scheduler

    @override
    def configure_optimizers(self) -> OptimizerLRScheduler:
        optimizer, scheduler = self.make_optimizer()
        if scheduler is None:
            return optimizer
        if isinstance(scheduler, StepSchedule):
            scheduler.plan(int(self.trainer.estimated_stepping_batches))
            return {"optimizer": optimizer, "lr_scheduler": {"scheduler": scheduler, "interval": "step"}}
        if isinstance(scheduler, ReduceLROnPlateau):
            better = "val/loss" if scheduler.mode == "min" else self.monitor
            plan: LRSchedulerConfigType = {
                "scheduler": scheduler,
                "monitor": getattr(scheduler, "monitor", better),
                "frequency": self.trainer.check_val_every_n_epoch or 1,  # an epoch without validation has no news
            }
            return {"optimizer": optimizer, "lr_scheduler": plan}
        return {"optimizer": optimizer, "lr_scheduler": scheduler}

    @override
    def on_train_start(self) -> None:
        self.train()  # Lightning takes each module's mode as it stands

    @override
    def train(self, mode: bool = True) -> Self:
        super().train(mode)
        for module in self._frozen if mode else ():
            module.eval()
        return self

    def _layout(self, image: Tensor) -> Tensor:
        if self.execution.channels_last and image.ndim in LAYOUTS:
            return image.contiguous(memory_format=LAYOUTS[image.ndim])
        return image
