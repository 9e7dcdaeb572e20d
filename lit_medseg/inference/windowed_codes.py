"""A whole case through a network window by window, decided on its native grid."""

from collections.abc import Callable

import torch
from torch import Tensor

from lit_medseg.imaging.volume import Volume
from lit_medseg.inference.native_codes import native_codes
from lit_medseg.inference.probability_room import probability_room
from lit_medseg.inference.sliding_window import Observe, SlidingWindow
from lit_medseg.preprocess.pipeline import Pipeline
from lit_medseg.preprocess.trace import CaseTrace
from lit_medseg.target import Target


def windowed_codes(
    window: SlidingWindow,
    image: Tensor,
    network: Callable[[Tensor], Tensor],
    target: Target,
    trace: CaseTrace,
    pipeline: Pipeline,
    observe: Observe | None = None,
) -> Tensor:
    """Predict one case.

    Where the way back only moves voxels (crops, flips), labels leave the window and are moved: no class's map is ever
    whole. Where it interpolates, probabilities are kept, and decided on the native grid.

    Args:
        window: How the case is cut.
        image: `(1, C, *S)`, preprocessed.
        network: From `(B, C, *patch)` to logits.
        target: How classes are decided.
        trace: What preprocessing left of the case.
        pipeline: The steps that made it.
        observe: Gets the logits of each window, for a loss.

    Returns:
        Codes on the CPU: `(*native S)`, overlapping classes `(K, *native S)`; any integer dtype.
    """
    if pipeline.interpolates(trace):
        room = probability_room((1, target.channels, *image.shape[2:]))
        return native_codes(window.probabilities(image, network, target, room, observe)[0], trace, pipeline, target)
    codes = window.labels(image, network, target, observe)[0].cpu()
    if not any(trace.steps):
        return codes
    planes = codes if codes.ndim == image.ndim - 1 else codes[None]
    moved = pipeline.invert(Volume(planes.numpy(), (1.0,) * (image.ndim - 2)), trace).array
    return torch.from_numpy(moved if codes.ndim == image.ndim - 1 else moved[0])
