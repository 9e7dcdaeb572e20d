"""Remove specks."""

import math
from dataclasses import dataclass

import numpy as np
from typing_extensions import override

from lit_medseg.errors import ConfigError, expected_got
from lit_medseg.inference.post_process.components import component_sizes
from lit_medseg.inference.post_process.post_process import Mask, PostProcess


@dataclass(frozen=True)
class RemoveSmall(PostProcess):
    """Removes connected parts (26 neighbours in 3D, 8 in 2D) that are too small to be real.

    Attributes:
        minimum_voxels: Parts of fewer voxels go.
        minimum_mm3: Parts of less volume go (2D: less area in mm2, and in pixels where the spacing is unknown).
    """

    minimum_voxels: int = 0
    minimum_mm3: float = 0.0

    def __post_init__(self) -> None:
        """Refuse sizes that remove nothing."""
        if not (self.minimum_voxels > 1 or 0 < self.minimum_mm3 < math.inf):
            todo = "Set minimum_voxels to 2 or more, or minimum_mm3 above 0"
            got = (self.minimum_voxels, self.minimum_mm3)
            raise ConfigError(expected_got("RemoveSmall", "removes nothing", "a smallest size", got, todo))

    @override
    def change(self, mask: Mask, spacing_mm: tuple[float, ...]) -> Mask:
        labels, sizes = component_sizes(mask)
        # a part of exactly the size stays, whatever the product of three spacings rounds to
        enough = sizes * math.prod(spacing_mm) >= self.minimum_mm3 * (1 - 1e-6)
        kept = np.concatenate([[False], enough & (sizes >= self.minimum_voxels)])
        large: Mask = kept[labels]
        return large
