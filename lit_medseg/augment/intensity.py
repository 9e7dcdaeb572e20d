"""What all changes of intensity have in common."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence

import numpy as np
from torch import Tensor

Change = Callable[[Tensor], None]
"""Changes an image `(C, *S)` float32 in place; everything random in it is drawn already. Can be pickled."""


class Intensity(ABC):
    """A random change of intensities. Children are frozen dataclasses with plain fields, so that a YAML can name them.

    Attributes:
        probability: Share of samples that are changed.
    """

    probability: float

    @abstractmethod
    def draw(self, rng: np.random.Generator, channels: int, spacing_mm: Sequence[float]) -> Change:
        """Draw the parameters of a sample that is changed.

        Args:
            rng: Draws everything, seeds of noise too.
            channels: Of the image.
            spacing_mm: Of all axes.
        """

    def maybe(self, rng: np.random.Generator, channels: int, spacing_mm: Sequence[float]) -> Change | None:
        """Draw whether a sample is changed, and how; None where it is left alone."""
        return self.draw(rng, channels, spacing_mm) if rng.random() < self.probability else None
