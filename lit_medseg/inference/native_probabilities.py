"""Probabilities back on the image's own grid."""

import torch
from torch import Tensor

from lit_medseg.imaging.volume import Volume
from lit_medseg.preprocess.pipeline import Pipeline
from lit_medseg.preprocess.trace import CaseTrace


def native_probabilities(probabilities: Tensor, trace: CaseTrace, pipeline: Pipeline) -> Tensor:
    """Undo the preprocessing of one case's probabilities.

    It is probabilities that are resampled and not masks: the class is decided on the native grid, so no edge is rounded
    twice.

    Args:
        probabilities: `(channels, *S)` on the preprocessed grid.
        trace: What preprocessing left of the case.
        pipeline: The steps that made it.

    Returns:
        `(channels, *native S)`; the same tensor, on its device, where no step left anything to undo.
    """
    if not any(trace.steps):
        return probabilities
    # the spacing of the preprocessed grid is of no account: the steps read the native one from the trace
    volume = Volume(probabilities.float().cpu().numpy(), (1.0,) * (probabilities.ndim - 1))
    return torch.from_numpy(pipeline.invert(volume, trace).array)
