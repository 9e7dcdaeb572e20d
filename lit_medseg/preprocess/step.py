"""One step of preprocessing: it can be applied, undone, and written down."""

from abc import ABC, abstractmethod
from collections.abc import Iterable
from typing import ClassVar, Self

from lit_medseg.imaging.volume import Volume
from lit_medseg.preprocess.sample import Sample
from lit_medseg.preprocess.trace import Trace


class Step(ABC):
    """One change to a case. Children are frozen dataclasses with plain fields, so that a YAML can name them.

    Attributes:
        version: Raised by whoever changes what a step computes: caches made before are then made anew.
        interpolates: Whether `invert` computes values between voxels (of a case that has a trace); False for steps that
            only move voxels, such as crops and flips: labels can then go back without their probabilities.
    """

    version: ClassVar[int] = 1
    interpolates: ClassVar[bool] = True

    @abstractmethod
    def apply(self, sample: Sample) -> tuple[Sample, Trace]:
        """Change a case; the trace says how to undo it."""

    @abstractmethod
    def invert(self, volume: Volume, trace: Trace) -> Volume:
        """Bring a prediction back to the grid that this step was given.

        Args:
            volume: Floats `(K, *S)` are planes of probabilities; integers `(1, *S)` or `(K, *S)` are codes.
            trace: What `apply` gave for this case.

        Returns:
            The volume on that grid. Its spacing and affine are of no account, here as in `volume`: the pipeline knows
            the native ones, and a step that needs a place in space keeps it in its trace.
        """

    def main_image(self, sample: Sample) -> int | None:
        """Say which image's grid predictions return to where a case has no mask; None leaves it to other steps."""
        return None

    def truth(self, mask: Volume) -> Volume:
        """Give the native mask as predictions are compared with it; it differs where a step changes what codes mean."""
        return mask


class FittedStep(Step):
    """A step with values measured on the training cases: fields that are None until `fit`."""

    @property
    @abstractmethod
    def fitted(self) -> bool:
        """Whether the values are known."""

    @abstractmethod
    def fit(self, samples: Iterable[Sample]) -> Self:
        """Give a copy with the values measured on these samples, in one pass; training cases only."""
