"""A step on the intensities of some channels."""

from dataclasses import dataclass, field

from lit_medseg.errors import DataError, expected_got
from lit_medseg.preprocess.intensity_step import IntensityStep
from lit_medseg.preprocess.sample import Sample
from lit_medseg.preprocess.trace import Trace


@dataclass(frozen=True)
class SelectiveStep(IntensityStep):
    """Changes the intensities of the channels that it names, of all where it names none.

    Attributes:
        channels: Names of channels as the source gives them; None for all.
    """

    channels: tuple[str, ...] | None = field(default=None, kw_only=True)

    def chosen(self, sample: Sample) -> list[bool]:
        """Tell for each image whether it is worked on.

        Raises:
            DataError: The case has no channel of a name.
        """
        if self.channels is None:
            return [True] * len(sample.images)
        missing = [name for name in self.channels if name not in sample.channels]
        if missing:
            got = list(sample.channels) or "channels without names"
            todo = "Correct `channels`, or name the channels in the source"
            raise DataError(expected_got(type(self).__name__, "no such channel", missing, got, todo))
        return [name in self.channels for name in sample.channels]

    def apply(self, sample: Sample) -> tuple[Sample, Trace]:
        """Change the chosen images."""
        pairs = zip(sample.images, self.chosen(sample), strict=True)
        return sample.with_images(tuple(self.change(image) if chosen else image for image, chosen in pairs)), {}
