"""Keep the largest connected parts."""

from dataclasses import dataclass

import numpy as np
from typing_extensions import override

from lit_medseg.errors import ConfigError, expected_got
from lit_medseg.inference.post_process.components import component_sizes
from lit_medseg.inference.post_process.post_process import Mask, PostProcess


@dataclass(frozen=True)
class LargestComponent(PostProcess):
    """Removes all but the largest connected part of a structure that is one (or a known number of) parts.

    Voxels are connected by a face, an edge or a corner. Of equal parts, the first in the order of the array stays.
    Source: F. Isensee et al., nnU-Net: a self-configuring method for deep learning-based biomedical image segmentation,
    Nature Methods 18 (2021) 203-211, doi:10.1038/s41592-020-01008-z.

    Attributes:
        keep: How many parts stay; 2 for the kidneys as one class.
    """

    keep: int = 1

    def __post_init__(self) -> None:
        """Refuse to keep nothing."""
        if self.keep < 1:
            todo = "Say how many parts stay"
            raise ConfigError(expected_got("LargestComponent.keep", "not a count", "1 or more", self.keep, todo))

    @override
    def change(self, mask: Mask, spacing_mm: tuple[float, ...]) -> Mask:
        labels, sizes = component_sizes(mask)
        if len(sizes) <= self.keep:
            return mask.copy()
        kept = np.zeros(len(sizes) + 1, dtype=bool)
        kept[1 + np.argsort(-sizes, kind="stable")[: self.keep]] = True
        largest: Mask = kept[labels]
        return largest
