"""Weights of the classes in a pixel-wise loss: given in the YAML, or fitted on the training cases."""

import math
from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor, nn

from lit_medseg.errors import ConfigError, expected_got
from lit_medseg.losses.coded_planes import CodedPlanes


class ClassWeights(nn.Module):
    """The weights within a loss.

    They are no part of its state dict: the YAML or the task's checkpoint states them as plain data.
    """

    values: Tensor | None

    def __init__(self, weights: list[float] | Literal["balanced"] | None = None) -> None:
        """Take the weights, or remember that the data will give them.

        Args:
            weights: One number >= 0 per class (binary: negative, positive; overlapping classes: how much the presence
                of each counts against its absence, as `pos_weight` of torch); "balanced" to have them filled from the
                training cases; None for equal classes.
        """
        super().__init__()
        self.balanced = weights == "balanced"
        self.register_buffer("values", None, persistent=False)
        if weights is not None and weights != "balanced":
            self.fill(weights)

    def fill(self, weights: Sequence[float]) -> None:
        """Set the weights.

        Raises:
            ConfigError: A weight is negative or not finite, or all are zero.
        """
        usable = all(math.isfinite(weight) and weight >= 0 for weight in weights) and sum(weights) > 0
        if not usable:
            todo = "Give one number per class"
            raise ConfigError(
                expected_got("class_weights", "unusable weights", "numbers >= 0, one > 0", list(weights), todo)
            )
        device = None if self.values is None else self.values.device
        self.values = torch.tensor(weights, dtype=torch.float32, device=device)

    def forward(self, coded: CodedPlanes) -> Tensor | None:
        """Give the factor of each element of a loss.

        Returns:
            Exclusive classes `(B, N)` and binary `(B, 1, N)`: the weight of the element's class. Overlapping
            `(B, C, N)`: the weight of the plane where its class is present, else 1. None where the classes are equal.

        Raises:
            ConfigError: The number of weights is not that of the classes, or nobody has filled balanced weights.
        """
        if self.values is None:
            if self.balanced:
                todo = "Call fill_class_weights before the first step"
                raise ConfigError(
                    expected_got("class_weights", "not fitted", "weights from the training cases", None, todo)
                )
            return None
        channels = coded.logits.shape[1]
        classes = 2 if channels == 1 else channels
        if len(self.values) != classes:
            todo = "Give one weight per class, the background's included"
            got = self.values.tolist()
            raise ConfigError(expected_got("class_weights", "wrong number of weights", classes, got, todo))
        values = self.values.to(coded.logits)
        if coded.exclusive or channels == 1:
            return values[coded.codes]
        return torch.where(coded.codes == 1, values.view(1, -1, 1), 1.0)


def wants_class_weights(loss: nn.Module) -> bool:
    """Tell whether any part of a loss was given `class_weights: balanced`."""
    return any(isinstance(part, ClassWeights) and part.balanced for part in loss.modules())


def fill_class_weights(loss: nn.Module, weights: Sequence[float]) -> None:
    """Fill the weights of every part that was given `class_weights: balanced`; the other parts stay as they are."""
    for part in loss.modules():
        if isinstance(part, ClassWeights) and part.balanced:
            part.fill(weights)
