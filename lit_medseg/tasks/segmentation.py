"""Segmentation: a class for every pixel."""

from collections.abc import Callable
from typing import Any

import pandas as pd
from lightning.pytorch.cli import LRSchedulerCallable, OptimizerCallable
from torch import Tensor, nn
from typing_extensions import override

from lit_medseg.batch import Batch
from lit_medseg.inference.native_probabilities import native_probabilities
from lit_medseg.inference.whole_image import WholeImage
from lit_medseg.losses.cross_entropy import CrossEntropy
from lit_medseg.losses.dice import DiceLoss
from lit_medseg.losses.weighted_sum import WeightedSum
from lit_medseg.metrics.bootstrap import Bootstrap
from lit_medseg.metrics.segmentation_rows import segmentation_rows
from lit_medseg.metrics.segmentation_scores import segmentation_scores
from lit_medseg.target import Target
from lit_medseg.tasks.execution import Execution
from lit_medseg.tasks.fine_tuning import FineTuning
from lit_medseg.tasks.task import StepOutput, Task

Inferer = Callable[..., Any]
"""From images and a network to logits on the same grid: `WholeImage` or a `monai.inferers.Inferer`.

With the result's type in it, the command line would look for a class of tensors.
"""


class SegmentationTask(Task):
    """Trains a network to give each pixel its class (binary, exclusive or overlapping)."""

    monitor = "val/dice"
    dense = True

    def __init__(
        self,
        network: nn.Module,
        loss: nn.Module | None = None,
        optimizer: OptimizerCallable | None = None,
        lr_scheduler: LRSchedulerCallable | None = None,
        inferer: Inferer | None = None,
        target: Target | None = None,
        fine_tuning: FineTuning = FineTuning(),  # noqa: B008  frozen
        execution: Execution = Execution(),  # noqa: B008  frozen
    ) -> None:
        """Set up.

        Args:
            network: From images `(B, C, *S)` to logits `(B, channels, *S)`. Channel numbers that the YAML leaves out
                are taken from the data.
            loss: From logits and codes to a scalar; default cross-entropy plus Dice, one to one, which holds up over
                most data sets (Ma et al. 2021, doi:10.1016/j.media.2021.102035).
            optimizer: Any torch optimizer; default AdamW.
            lr_scheduler: Any torch scheduler, stepped each epoch, or a `StepSchedule` of ours, stepped each step.
            inferer: How whole cases go through the network; default `WholeImage()`.
            target: The coding of the classes; the command line takes it from the data.
            fine_tuning: Start weights, frozen parts, the encoder's own rate.
            execution: `channels_last` and `compile`.
        """
        loss = WeightedSum(CrossEntropy(), DiceLoss()) if loss is None else loss
        super().__init__(network, loss, optimizer, lr_scheduler, target, fine_tuning, execution)
        self.inferer: Inferer = WholeImage() if inferer is None else inferer

    @override
    def truth(self, batch: Batch) -> Tensor:
        return batch["mask"]

    @override
    def evaluation_logits(self, image: Tensor) -> Tensor:
        logits: Tensor = self.inferer(image, self.network)
        return logits

    @override
    def evaluate_cases(self, batch: Batch, logits: Tensor) -> StepOutput:
        pipeline = self.trainer.datamodule.pipeline  # type: ignore[attr-defined]  # lightning's Trainer leaves it untyped
        probabilities = self.target.probabilities(logits)
        native = [
            native_probabilities(one, trace, pipeline) for one, trace in zip(probabilities, batch["trace"], strict=True)
        ]
        codes = [self.target.decide(one[None])[0].cpu() for one in native]
        if "reference" not in batch:
            return {"prediction": codes}
        rows = [
            segmentation_rows(case_id, patient_id, prediction, reference.cpu(), self.target)
            for case_id, patient_id, prediction, reference in zip(
                batch["case_id"], batch["patient_id"], codes, batch["reference"], strict=True
            )
        ]
        return {"prediction": codes, "rows": rows}

    @override
    def scores(self, table: pd.DataFrame, bootstrap: Bootstrap | None) -> dict[str, float]:
        return segmentation_scores(table, bootstrap)
