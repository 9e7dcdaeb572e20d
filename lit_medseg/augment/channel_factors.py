"""Changes of intensity by a factor a channel."""

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from torch import Tensor

from lit_medseg.augment.drawing import Range, about_one, check_probability, check_range
from lit_medseg.augment.intensity import Change, Intensity


@dataclass(frozen=True)
class ChannelFactors(Intensity):
    """Each channel has a factor of its own; children say what it does.

    Source of the defaults: nnU-Net 2.8.1.

    Attributes:
        probability: Share of samples that are changed.
        factor: Below and above 1 equally often.
    """

    probability: float = 0.15
    factor: Range = (0.75, 1.25)

    def __post_init__(self) -> None:
        """Refuse unusable values.

        Raises:
            ConfigError: A probability or range is out of bounds.
        """
        name = type(self).__name__
        check_probability(f"{name}.probability", self.probability)
        check_range(f"{name}.factor", self.factor, 0)

    @staticmethod
    @abstractmethod
    def change(image: Tensor, factors: Sequence[float]) -> None:
        """Change `(C, *S)` float32 in place, with one factor a channel."""

    def draw(self, rng: np.random.Generator, channels: int, spacing_mm: Sequence[float]) -> Change:
        """Draw the factors."""
        return partial(self.change, factors=[about_one(rng, self.factor) for _ in range(channels)])
