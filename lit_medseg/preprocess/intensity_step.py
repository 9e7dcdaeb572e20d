"""A step that changes intensities and leaves the grid alone."""

from abc import abstractmethod

from lit_medseg.imaging.volume import Volume
from lit_medseg.preprocess.sample import Sample
from lit_medseg.preprocess.step import Step
from lit_medseg.preprocess.trace import Trace


class IntensityStep(Step):
    """Changes each image by itself; masks pass through and there is nothing to undo."""

    @abstractmethod
    def change(self, image: Volume) -> Volume:
        """Give the image with other intensities or channels on the same grid."""

    def apply(self, sample: Sample) -> tuple[Sample, Trace]:
        """Change every image."""
        return sample.with_images(tuple(self.change(image) for image in sample.images)), {}

    def invert(self, volume: Volume, trace: Trace) -> Volume:
        """Give the volume as it is."""
        return volume
