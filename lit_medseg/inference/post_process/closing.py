"""Morphological closing."""

from dataclasses import dataclass

from typing_extensions import override

from lit_medseg.inference.post_process.ball import check_radius, dilated, eroded, reach
from lit_medseg.inference.post_process.post_process import Mask, PostProcess


@dataclass(frozen=True)
class Closing(PostProcess):
    """Dilates and erodes with a ball: narrow gaps and cracks are closed. Exclusive classes: only background is taken.

    Source: J. Serra, Image analysis and mathematical morphology, Academic Press 1982.

    Attributes:
        radius_mm: Of the ball; in pixels where the spacing is unknown.
    """

    radius_mm: float = 1.0

    def __post_init__(self) -> None:
        """Refuse a radius that is no length."""
        check_radius("Closing.radius_mm", self.radius_mm)

    @override
    def margin(self, spacing_mm: tuple[float, ...]) -> tuple[int, ...]:
        return tuple(2 * voxels for voxels in reach(self.radius_mm, spacing_mm))

    @override
    def change(self, mask: Mask, spacing_mm: tuple[float, ...]) -> Mask:
        return eroded(dilated(mask, self.radius_mm, spacing_mm), self.radius_mm, spacing_mm) | mask
