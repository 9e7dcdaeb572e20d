"""The base of modalities that come as pictures and as volumes."""

from abc import ABC
from functools import cached_property

from lit_medseg.data.datamodule import CaseDataModule
from lit_medseg.data.image_kind import ImageKind, image_kind
from lit_medseg.preprocess.resample_to import ResampleTo
from lit_medseg.preprocess.step import Step


class AnyDimensionDataModule(CaseDataModule, ABC):
    """A modality whose defaults follow the data: slices saved as pictures have no third axis and no millimetres."""

    @cached_property
    def kind(self) -> ImageKind:
        """What the source's images are."""
        return image_kind(self.source)

    @property
    def volumes(self) -> bool:
        """Whether they have three axes."""
        return self.kind.axes == 3

    def resampling(self) -> list[Step]:
        """Give the step to one spacing, the training cases' median; none where files know no millimetres."""
        return [ResampleTo()] if self.volumes and self.kind.placed else []
