"""The one output of a network with deep supervision that has the image's grid."""

from collections.abc import Sequence
from typing import Any

from torch import Tensor


def full_resolution(output: Any, dimensions: int) -> Tensor:
    """Take the logits of the finest level.

    Networks with deep supervision give several levels, the finest first: dynamic-network-architectures a list, MONAI's
    DynUNet one tensor `(B, levels, K, *S)`, in which the coarser levels are interpolated.

    Args:
        output: What the network gave; anything but a list, a tuple or a tensor with one axis too many is passed on.
        dimensions: Of the image batch `(B, C, *S)`: 4 for pictures, 5 for volumes.

    Returns:
        `(B, K, *S)`, or `(B, K)` of a classification.
    """
    if isinstance(output, Sequence) and len(output):
        output = output[0]
    if isinstance(output, Tensor) and output.ndim == dimensions + 1:
        output = output[:, 0]
    return output  # type: ignore[no-any-return]  # what it is if no tensor, `check_ports` tells
