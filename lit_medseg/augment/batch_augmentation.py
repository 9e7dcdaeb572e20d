"""Augmentation of volumes and pictures: what a YAML names."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from lit_medseg.augment.brightness import Brightness
from lit_medseg.augment.contrast import Contrast
from lit_medseg.augment.elastic import Elastic
from lit_medseg.augment.gamma import Gamma
from lit_medseg.augment.gaussian_blur import GaussianBlur
from lit_medseg.augment.gaussian_noise import GaussianNoise
from lit_medseg.augment.geometry import make_geometry
from lit_medseg.augment.intensity import Intensity
from lit_medseg.augment.low_resolution import LowResolution
from lit_medseg.augment.mirror import Mirror
from lit_medseg.augment.rotation import Rotation
from lit_medseg.augment.sample_plan import SamplePlan
from lit_medseg.augment.scaling import Scaling
from lit_medseg.augment.shear import Shear

_ROTATION, _SCALING, _SHEAR, _ELASTIC, _MIRROR = Rotation(), Scaling(), Shear(), Elastic(), Mirror()
# The defaults are frozen: one of each is enough.


def standard_intensities() -> list[Intensity]:
    """Give nnU-Net's changes of intensity, in its order.

    Source: Isensee et al. 2021, doi:10.1038/s41592-020-01008-z, supplementary note 4, as in nnU-Net 2.8.1.
    """
    return [
        GaussianNoise(),
        GaussianBlur(),
        Brightness(),
        Contrast(),
        LowResolution(),
        Gamma(probability=0.1, inverted=True),
        Gamma(),
    ]


@dataclass(frozen=True)
class BatchAugmentation:
    """Moves in one resampling, then changes of intensity; the defaults are those of nnU-Net 2.8.1.

    Images must be normalised before, as the network gets them: noise is in those units, and beyond the volume's edge
    images are 0 and masks background. Masks are never interpolated.

    Attributes:
        rotation: Turns, in millimetres.
        scaling: Stretches.
        shear: Leans.
        elastic: Bends.
        mirror: Mirrors.
        intensity: Changes of intensity, in order; None for nnU-Net's, an empty list for none.
    """

    rotation: Rotation = _ROTATION
    scaling: Scaling = _SCALING
    shear: Shear = _SHEAR
    elastic: Elastic = _ELASTIC
    mirror: Mirror = _MIRROR
    intensity: list[Intensity] | None = None

    def plan(
        self, rng: np.random.Generator, size: Sequence[int], channels: int, spacing_mm: Sequence[float]
    ) -> SamplePlan:
        """Draw everything that happens to one sample.

        Args:
            rng: The sample's own: a function of seed, epoch and index.
            size: Of the patch, in voxels.
            channels: Of the image.
            spacing_mm: Of all axes.

        Raises:
            DataError: Size and spacing have different numbers of axes.
        """
        matrices = [part.draw(rng, spacing_mm) for part in (self.rotation, self.shear, self.scaling)]
        bend = self.elastic.draw(rng, spacing_mm, size)
        mirrored = self.mirror.draw(rng, len(size))
        geometry = make_geometry(size, spacing_mm, matrices, bend, mirrored)
        drawn = [change.maybe(rng, channels, spacing_mm) for change in self._intensities]
        return SamplePlan(geometry, tuple(change for change in drawn if change is not None))

    @property
    def _intensities(self) -> list[Intensity]:
        """The YAML's changes of intensity, else nnU-Net's."""
        return _STANDARD if self.intensity is None else self.intensity


_STANDARD = standard_intensities()
