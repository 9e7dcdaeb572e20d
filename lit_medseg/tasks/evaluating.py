"""How whole cases are predicted and scored."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from lit_medseg.inference.post_process.post_process import PostProcess
from lit_medseg.metrics.segmentation_scoring import SegmentationScoring

Inferer = Callable[..., Any]
"""From images and a network to logits on the same grid: `WholeImage`, `SlidingWindow` or a `monai.inferers.Inferer`.

With the result's type in it, the command line would look for a class of tensors.
"""


@dataclass(frozen=True)
class Evaluating:
    """From a whole case to its prediction and its scores; training patches see none of it.

    Attributes:
        inferer: How a case goes through the network; None for `WholeImage` (pictures) or `SlidingWindow` with the
            training patches' size (volumes).
        scoring: Scores beside the counts of voxels: distances of surfaces, volumes, lesions.
        post_processing: Changes to the decided masks, one after the other, in every validation, test and prediction;
            an empty list for none; None for those that `validate --choose_post_processing true` has put into the
            checkpoint, if any.
    """

    inferer: Inferer | None = None
    scoring: SegmentationScoring = field(default_factory=SegmentationScoring)
    post_processing: list[PostProcess] | None = None
