"""Classification: a class for every image."""

import pandas as pd
from lightning.pytorch.cli import LRSchedulerCallable, OptimizerCallable
from torch import Tensor, nn
from typing_extensions import override

from lit_medseg.batch import Batch
from lit_medseg.losses.cross_entropy import CrossEntropy
from lit_medseg.metrics.bootstrap import Bootstrap
from lit_medseg.metrics.classification_rows import classification_row
from lit_medseg.metrics.classification_scores import classification_scores
from lit_medseg.networks.full_resolution import full_resolution
from lit_medseg.target import Target
from lit_medseg.tasks.execution import Execution
from lit_medseg.tasks.fine_tuning import FineTuning
from lit_medseg.tasks.task import StepOutput, Task


class ClassificationTask(Task):
    """Trains a network to give each image its class or classes (binary, exclusive or overlapping)."""

    monitor = "val/auroc"
    dense = False

    def __init__(
        self,
        network: nn.Module,
        loss: nn.Module | None = None,
        optimizer: OptimizerCallable | None = None,
        lr_scheduler: LRSchedulerCallable | None = None,
        target: Target | None = None,
        fine_tuning: FineTuning = FineTuning(),  # noqa: B008  frozen
        execution: Execution = Execution(),  # noqa: B008  frozen
    ) -> None:
        """Set up.

        Args:
            network: From images `(B, C, *S)` to logits `(B, channels)`. Channel numbers that the YAML leaves out are
                taken from the data.
            loss: From logits and codes to a scalar; default cross-entropy.
            optimizer: Any torch optimizer; default AdamW.
            lr_scheduler: Any torch scheduler, stepped each epoch, or a `StepSchedule` of ours, stepped each step.
            target: The coding of the classes; the command line takes it from the data.
            fine_tuning: Start weights, frozen parts, the encoder's own rate.
            execution: `channels_last` and `compile`.
        """
        loss = CrossEntropy() if loss is None else loss
        super().__init__(network, loss, optimizer, lr_scheduler, target, fine_tuning, execution)

    @override
    def truth(self, batch: Batch) -> Tensor:
        return batch["label"]

    @override
    def evaluation_logits(self, image: Tensor) -> Tensor:
        return full_resolution(self.network(image), image.ndim)  # MONAI's ViT gives its inner features too

    @override
    def evaluate_cases(self, batch: Batch, logits: Tensor) -> StepOutput:
        return self.decided_cases(batch, self.target.probabilities(logits))

    def decided_cases(self, batch: Batch, probabilities: Tensor) -> StepOutput:
        """Turn probabilities `(B, channels)` into predictions and, where there is a reference, rows."""
        decided = self.target.decide(probabilities).cpu()
        probabilities = probabilities.double().cpu()
        output: StepOutput = {"prediction": list(decided), "probabilities": list(probabilities)}
        if "label" in batch:
            output["rows"] = [
                [classification_row(case_id, patient_id, probability, prediction, label, self.target)]
                for case_id, patient_id, probability, prediction, label in zip(
                    batch["case_id"], batch["patient_id"], probabilities, decided, batch["label"].cpu(), strict=True
                )
            ]
        return output

    def case_probabilities(self, batch: Batch) -> tuple[Tensor, list[float]]:
        """Compute a member's part of an ensemble.

        Returns:
            Probabilities `(B, channels)`, and the loss of each case; NaN without a label.
        """
        logits = self.evaluation_logits(self._layout(batch["image"]))
        probabilities = self.target.probabilities(logits)
        if "label" not in batch:
            return probabilities, [float("nan")] * len(logits)
        truth = batch["label"]
        cases = [slice(number, number + 1) for number in range(len(logits))]
        return probabilities, [float(self.loss(logits[case], truth[case])) for case in cases]

    @override
    def scores(self, table: pd.DataFrame, bootstrap: Bootstrap | None) -> dict[str, float]:
        return classification_scores(table, self.target, bootstrap)
