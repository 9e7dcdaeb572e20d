"""Logits and codes of any of the three codings, brought into one shape for the losses."""

from dataclasses import dataclass

import torch
from torch import Tensor

from lit_medseg.errors import ConfigError, expected_got


@dataclass(frozen=True)
class CodedPlanes:
    """What a loss computes on; N is the number of pixels, 1 for a classification.

    Attributes:
        logits: `(B, C, N)` float32 (float64 stays float64): under autocast the network gives half precision, in which
            a sum over the pixels of an image overflows.
        codes: int64, exclusive classes `(B, N)`, else `(B, C, N)` of 0 and 1.
        exclusive: True for a softmax over the channels (multi-class), False for a sigmoid per channel.
    """

    logits: Tensor
    codes: Tensor
    exclusive: bool

    @property
    def probabilities(self) -> Tensor:
        """`(B, C, N)`, each in [0, 1]."""
        return self.logits.softmax(dim=1) if self.exclusive else self.logits.sigmoid()

    @property
    def planes(self) -> Tensor:
        """The codes as `(B, C, N)` planes of 0 and 1 in the logits' dtype."""
        if not self.exclusive:
            return self.codes.to(self.logits.dtype)
        classes = torch.arange(self.logits.shape[1], device=self.codes.device)
        return (self.codes.unsqueeze(1) == classes.view(1, -1, 1)).to(self.logits.dtype)


def coded_planes(logits: Tensor, codes: Tensor) -> CodedPlanes:
    """Tell the coding from the shapes, as `lit_medseg.target` defines the codings.

    One channel is binary; codes with as many dimensions as the logits are overlapping; anything else is multi-class.

    Args:
        logits: `(B, C, *S)`, or `(B, C)` of a classification; any float dtype.
        codes: Integers: binary and multi-class `(B, *S)`, overlapping `(B, C, *S)` of 0 and 1.

    Raises:
        ConfigError: The shapes belong to none of the codings.
    """
    batch, channels, grid = logits.shape[0], logits.shape[1], tuple(logits.shape[2:])
    sigmoid = channels == 1 or codes.ndim == logits.ndim
    planes = (batch, channels, *grid)
    fitting = [(batch, *grid)] if not sigmoid else [planes, (batch, *grid)] if channels == 1 else [planes]
    if tuple(codes.shape) not in fitting:
        todo = "Let the network's channels and the task's classes agree"
        raise ConfigError(expected_got("loss", "codes do not fit the logits", fitting[0], tuple(codes.shape), todo))
    wide = logits if logits.dtype == torch.float64 else logits.float()
    flat = wide.reshape(batch, channels, -1)
    shape = (batch, channels, -1) if sigmoid else (batch, -1)
    return CodedPlanes(flat, codes.long().reshape(shape), exclusive=not sigmoid)
