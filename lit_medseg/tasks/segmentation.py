"""Segmentation: a class for every pixel."""

from collections.abc import Iterator
from types import EllipsisType
from typing import cast

import pandas as pd
import torch
from lightning.pytorch.cli import LRSchedulerCallable, OptimizerCallable
from torch import Tensor, nn
from typing_extensions import override

from lit_medseg.batch import Batch
from lit_medseg.inference.native_codes import native_codes
from lit_medseg.inference.native_planes import NativePlanes
from lit_medseg.inference.padded_image import Box
from lit_medseg.inference.post_process.apply import post_processed
from lit_medseg.inference.post_process.post_process import PostProcess
from lit_medseg.inference.probability_room import probability_room
from lit_medseg.inference.sliding_window import Observe, SlidingWindow
from lit_medseg.inference.whole_image import WholeImage
from lit_medseg.inference.windowed_codes import windowed_codes
from lit_medseg.losses.cross_entropy import CrossEntropy
from lit_medseg.losses.dice import DiceLoss
from lit_medseg.losses.weighted_sum import WeightedSum
from lit_medseg.metrics.bootstrap import Bootstrap
from lit_medseg.metrics.row import Row
from lit_medseg.metrics.segmentation_rows import segmentation_rows
from lit_medseg.metrics.segmentation_scores import segmentation_scores
from lit_medseg.networks.full_resolution import full_resolution
from lit_medseg.preprocess.pipeline import Pipeline
from lit_medseg.preprocess.trace import CaseTrace
from lit_medseg.target import Target
from lit_medseg.tasks.evaluating import Evaluating, Inferer
from lit_medseg.tasks.execution import Execution
from lit_medseg.tasks.fine_tuning import FineTuning
from lit_medseg.tasks.task import StepOutput, Task


class SegmentationTask(Task):
    """Trains a network to give each pixel its class (binary, exclusive or overlapping).

    Attributes:
        post_processing: Changes to the decided masks; the command line sets those that were chosen for a checkpoint.
        keep_probabilities: Whether predictions come with the probabilities of all classes.
    """

    monitor = "val/dice"
    dense = True

    def __init__(
        self,
        network: nn.Module,
        loss: nn.Module | None = None,
        optimizer: OptimizerCallable | None = None,
        lr_scheduler: LRSchedulerCallable | None = None,
        evaluating: Evaluating = Evaluating(),  # noqa: B008  frozen
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
            evaluating: How whole cases are predicted and scored.
            target: The coding of the classes; the command line takes it from the data.
            fine_tuning: Start weights, frozen parts, the encoder's own rate.
            execution: `channels_last` and `compile`.
        """
        loss = WeightedSum(CrossEntropy(), DiceLoss()) if loss is None else loss
        super().__init__(network, loss, optimizer, lr_scheduler, target, fine_tuning, execution)
        self.inferer: Inferer = evaluating.inferer or WholeImage()
        self.scoring = evaluating.scoring
        self.scoring.check(self.target.foreground)
        self.post_processing: tuple[PostProcess, ...] = tuple(evaluating.post_processing or ())
        self.keep_probabilities = False
        for step in self.post_processing:
            step.places(self.target)  # refuses unknown classes

    @override
    def truth(self, batch: Batch) -> Tensor:
        return batch["mask"].long()

    @override
    def evaluation_logits(self, image: Tensor) -> Tensor:
        logits: Tensor = self.inferer(image, self._finest)
        return logits

    @override
    def evaluate_batch(self, batch: Batch) -> tuple[StepOutput, list[float]]:
        if self.keep_probabilities:
            return self._with_probabilities(batch), []
        if not isinstance(self.inferer, SlidingWindow):
            return super().evaluate_batch(batch)
        cases = [self._windowed(self.inferer, batch, number) for number in range(len(batch["case_id"]))]
        return self._scored(batch, [codes for codes, _ in cases]), [loss for _, loss in cases]

    @override
    def evaluate_cases(self, batch: Batch, logits: Tensor) -> StepOutput:
        probabilities = self.target.probabilities(logits)
        codes = [
            native_codes(one, trace, self._pipeline, self.target)
            for one, trace in zip(probabilities, batch["trace"], strict=True)
        ]
        return self._scored(batch, codes)

    def _finest(self, image: Tensor) -> Tensor:
        """Compute logits on the image's grid, also of a network with deep supervision."""
        return full_resolution(self(image), image.ndim)

    def _with_probabilities(self, batch: Batch) -> StepOutput:
        """Predict cases and keep their probabilities, on the preprocessed grid until someone asks for them."""
        planes = [
            NativePlanes(self._probabilities(batch, number), trace, self._pipeline)
            for number, trace in enumerate(batch["trace"])
        ]
        codes = [native_codes(one.probabilities, one.trace, one.pipeline, self.target) for one in planes]
        return {**self._scored(batch, codes), "planes": planes}

    def _probabilities(self, batch: Batch, number: int) -> Tensor:
        image = self._layout(batch["image"][number : number + 1])
        if not isinstance(self.inferer, SlidingWindow):
            return self.target.probabilities(self.evaluation_logits(image))[0].cpu()
        room = probability_room((1, self.target.channels, *image.shape[2:]))
        return self.inferer.probabilities(image, self._finest, self.target, room)[0]

    def _windowed(self, inferer: SlidingWindow, batch: Batch, number: int) -> tuple[Tensor, float]:
        """Predict one case window by window; its loss is the mean of its windows', since no logits are kept."""
        losses: list[Tensor] = []
        image, observe = batch["image"][number : number + 1], self._window_losses(batch, number, losses)
        trace = batch["trace"][number]
        codes = windowed_codes(inferer, image, self._finest, self.target, trace, self._pipeline, observe)
        return codes, _mean(losses)

    def _window_losses(self, batch: Batch, number: int, losses: list[Tensor]) -> Observe:
        """Collect the loss of each window of a case that has a reference."""
        truth = batch["mask"][number : number + 1] if "mask" in batch else None

        def observe(logits: Tensor, _: int, box: Box) -> None:
            place: tuple[EllipsisType | slice, ...] = (..., *box)
            if truth is not None:
                losses.append(self.loss(logits, truth[place].long()))

        return observe

    def case_probabilities(self, batch: Batch) -> Iterator[tuple[Tensor, float]]:
        """Compute the probabilities of the cases of a batch, one after the other: a member's part of an ensemble.

        Yields:
            `(channels, *S)` on the preprocessed grid, and the loss, as `evaluate_batch` has it; NaN without a mask.
        """
        if not isinstance(self.inferer, SlidingWindow):
            logits = self.evaluation_logits(self._layout(batch["image"]))
            truth = self.truth(batch) if "mask" in batch else None
            for number, one in enumerate(self.target.probabilities(logits)):
                case = slice(number, number + 1)
                yield one, float("nan") if truth is None else float(self.loss(logits[case], truth[case]))
            return
        for number in range(len(batch["image"])):
            losses: list[Tensor] = []
            image, observe = batch["image"][number : number + 1], self._window_losses(batch, number, losses)
            room = probability_room((1, self.target.channels, *image.shape[2:]))
            yield self.inferer.probabilities(image, self._finest, self.target, room, observe)[0], _mean(losses)

    def _scored(self, batch: Batch, codes: list[Tensor]) -> StepOutput:
        """Post-process, and add the rows of the cases that have a reference."""
        codes = [self._changed(one, trace) for one, trace in zip(codes, batch["trace"], strict=True)]
        if "reference" not in batch:
            return {"prediction": codes}
        return {"prediction": codes, "rows": [self._rows(batch, number, code) for number, code in enumerate(codes)]}

    def _rows(self, batch: Batch, number: int, codes: Tensor) -> list[Row]:
        trace, reference = batch["trace"][number], batch["reference"][number].cpu()
        scoring = self.scoring.at("test" if self.trainer.state.fn == "test" else "val")
        case_id, patient_id = batch["case_id"][number], batch["patient_id"][number]
        return segmentation_rows(case_id, patient_id, codes, reference, self.target, trace.known_mm, scoring)

    def _changed(self, codes: Tensor, trace: CaseTrace) -> Tensor:
        if not self.post_processing:
            return codes
        return torch.from_numpy(post_processed(codes.numpy(), self.target, trace.known_mm, self.post_processing))

    @property
    def _pipeline(self) -> Pipeline:
        # lightning's Trainer leaves its data module untyped
        return cast("Pipeline", self.trainer.datamodule.pipeline)  # type: ignore[attr-defined]

    @override
    def scores(self, table: pd.DataFrame, bootstrap: Bootstrap | None) -> dict[str, float]:
        return segmentation_scores(table, bootstrap)


def _mean(losses: list[Tensor]) -> float:
    return float(torch.stack(losses).mean()) if losses else float("nan")
