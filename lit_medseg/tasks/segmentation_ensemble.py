"""Several segmentation networks that decide together."""

from collections.abc import Sequence
from typing import cast

from torch import nn
from typing_extensions import override

from lit_medseg.batch import Batch
from lit_medseg.inference.native_codes import native_planes
from lit_medseg.inference.native_mean import NativeMean
from lit_medseg.preprocess.pipeline import Pipeline
from lit_medseg.tasks.evaluating import Evaluating
from lit_medseg.tasks.member_batch import member_batch
from lit_medseg.tasks.segmentation import SegmentationTask
from lit_medseg.tasks.task import StepOutput


class SegmentationEnsemble(SegmentationTask):
    """Averages the members' probabilities of each class on the native grid, and decides there.

    It is evaluated and predicts like a `SegmentationTask`; it is not trained. Its loss is the mean of the members'
    losses, each on its own grid.
    """

    def __init__(self, members: Sequence[SegmentationTask], pipelines: Sequence[Pipeline]) -> None:
        """Set up.

        Args:
            members: At least one, all of the same classes; how cases are scored and changed is the first one's.
            pipelines: Each member's preprocessing.
        """
        first = members[0]
        evaluating = Evaluating(first.inferer, first.scoring, list(first.post_processing))
        super().__init__(nn.ModuleList(members), nn.Identity(), evaluating=evaluating, target=first.target)
        self.monitor = first.monitor
        self._pipelines = list(pipelines)

    @override
    def evaluate_batch(self, batch: Batch) -> tuple[StepOutput, list[float]]:
        means = [NativeMean(self.target.channels, trace) for trace in batch["trace"]]
        losses = [0.0] * len(means)
        for number, (member, pipeline) in enumerate(zip(self._members, self._pipelines, strict=True)):
            own = member_batch(batch, number, self.device)
            for case, (probabilities, loss) in enumerate(member.case_probabilities(own)):
                means[case].add(native_planes(probabilities, own["trace"][case], pipeline))
                losses[case] += loss / len(self._pipelines)
        planes = [mean.planes() for mean in means]
        output = self._scored(batch, [self.target.decide_planes(one) for one in planes])
        return ({**output, "planes": planes} if self.keep_probabilities else output), losses

    @property
    def _members(self) -> list[SegmentationTask]:
        return cast("list[SegmentationTask]", list(cast("nn.ModuleList", self.network)))
