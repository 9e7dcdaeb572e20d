"""Outputs of networks with deep supervision: several levels, of which one has the image's grid."""

from collections.abc import Sequence
from typing import Any

from torch import Tensor


def levels(output: Any, dimensions: int) -> Any:
    """Bring the outputs of a training step into one form.

    dynamic-network-architectures gives a list, the finest level first; MONAI's DynUNet one tensor `(B, levels, K, *S)`,
    in which the coarser levels are interpolated; MONAI's transformers a tuple with their inner features.

    Args:
        output: What the network gave.
        dimensions: Of the image batch `(B, C, *S)`: 4 for pictures, 5 for volumes.

    Returns:
        One tensor as it is; several levels as a list of tensors, the finest first.
    """
    if isinstance(output, Tensor):
        return list(output.unbind(1)) if output.ndim == dimensions + 1 else output
    if isinstance(output, Sequence) and output:
        found = [level for level in output if isinstance(level, Tensor) and level.ndim == output[0].ndim]
        return found if len(found) == len(output) and len(found) > 1 else output[0]
    return output


def full_resolution(output: Any, dimensions: int) -> Tensor:
    """Take the logits of the finest level: what evaluation needs.

    Args:
        output: See `levels`.
        dimensions: See `levels`.

    Returns:
        `(B, K, *S)`, or `(B, K)` of a classification.
    """
    several = levels(output, dimensions)
    finest: Tensor = several[0] if isinstance(several, list) else several
    return finest
