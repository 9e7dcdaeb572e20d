"""Several classification networks that decide together."""

from collections.abc import Sequence
from typing import cast

import torch
from torch import nn
from typing_extensions import override

from lit_medseg.batch import Batch
from lit_medseg.tasks.classification import ClassificationTask
from lit_medseg.tasks.member_batch import member_batch
from lit_medseg.tasks.task import StepOutput


class ClassificationEnsemble(ClassificationTask):
    """Averages the members' probabilities of each class, and decides.

    It is evaluated and predicts like a `ClassificationTask`; it is not trained. Its loss is the mean of the members'.
    """

    def __init__(self, members: Sequence[ClassificationTask]) -> None:
        """Set up.

        Args:
            members: At least one, all of the same classes.
        """
        super().__init__(nn.ModuleList(members), nn.Identity(), target=members[0].target)
        self.monitor = members[0].monitor

    @override
    def evaluate_batch(self, batch: Batch) -> tuple[StepOutput, list[float]]:
        members = cast("list[ClassificationTask]", list(cast("nn.ModuleList", self.network)))
        found = [
            member.case_probabilities(member_batch(batch, number, self.device)) for number, member in enumerate(members)
        ]
        mean = torch.stack([probabilities.double() for probabilities, _ in found]).mean(dim=0)
        losses = [sum(each) / len(members) for each in zip(*(own for _, own in found), strict=True)]
        return self.decided_cases(batch, mean), losses
