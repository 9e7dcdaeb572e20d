"""Decisions on the image's own grid."""

from collections.abc import Iterator

import torch
from torch import Tensor

from lit_medseg.imaging.volume import Volume
from lit_medseg.preprocess.pipeline import Pipeline
from lit_medseg.preprocess.trace import CaseTrace
from lit_medseg.target import Target


def native_codes(probabilities: Tensor, trace: CaseTrace, pipeline: Pipeline, target: Target) -> Tensor:
    """Undo the preprocessing of one case's probabilities, and decide there.

    It is probabilities that are resampled and not masks: the class is decided on the native grid, so no edge is rounded
    twice. Class by class, so that a hundred classes of a large scan need no more memory than one.

    Args:
        probabilities: `(channels, *S)` on the preprocessed grid; any float, on any device.
        trace: What preprocessing left of the case.
        pipeline: The steps that made it.
        target: How classes are decided.

    Returns:
        Codes, any integer dtype, on the CPU: `(*native S)`, overlapping classes `(K, *native S)`.
    """
    if not any(trace.steps):
        return target.decide(probabilities[None])[0].cpu()
    return target.decide_planes(native_planes(probabilities, trace, pipeline))


def native_planes(probabilities: Tensor, trace: CaseTrace, pipeline: Pipeline) -> Iterator[Tensor]:
    """Give the probabilities of one class after the other on the native grid: float32 `(*native S)` on the CPU.

    Args:
        probabilities: `(channels, *S)` on the preprocessed grid.
        trace: What preprocessing left of the case.
        pipeline: The steps that made it.
    """
    # the spacing of the preprocessed grid is of no account: the steps read what they need from the trace
    spacing = (1.0,) * (probabilities.ndim - 1)
    for plane in probabilities:
        volume = Volume(plane[None].float().cpu().numpy(), spacing)
        yield torch.from_numpy(pipeline.invert(volume, trace).array[0])
