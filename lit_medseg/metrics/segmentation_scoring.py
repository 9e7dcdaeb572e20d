"""Which scores of a segmented case go beyond counts of voxels, and with which tolerances."""

import math
from dataclasses import dataclass, replace
from typing import Literal

from lit_medseg.errors import ConfigError, expected_got


@dataclass(frozen=True)
class SegmentationScoring:
    """What `segmentation_rows` adds where the spacing of the native grid is known.

    Overlap hides where a contour is wrong, and says little of small lesions: Metrics Reloaded advises an overlap, a
    boundary and, for lesions, a detection score together.
    Source: L. Maier-Hein, A. Reinke et al., Metrics reloaded: recommendations for image analysis validation, Nature
    Methods 21 (2024) 195-212, doi:10.1038/s41592-023-02151-z.

    Attributes:
        surface: When `hd95_mm`, `assd_mm` and `surface_dice` are computed; `test` leaves them out of validations, which
            come every few epochs.
        tolerance_mm: Greatest distance of a boundary voxel that `surface_dice` counts as right; take what two experts
            differ by.
        class_tolerance_mm: The tolerance of single classes by name, in place of `tolerance_mm`.
        volume: Whether the volumes of three-dimensional masks and their errors are given; in validations only where
            `surface` is `always`.
        lesions: Whether connected components are counted as found, missed and false.
        lesion_overlap: Share of a lesion's voxels, from 0 to 1, that the other mask has to cover; 0 asks for one voxel.
    """

    surface: Literal["always", "test", "never"] = "test"
    tolerance_mm: float = 1.0
    class_tolerance_mm: dict[str, float] | None = None
    volume: bool = True
    lesions: bool = False
    lesion_overlap: float = 0.0

    def __post_init__(self) -> None:
        """Refuse tolerances that are no lengths, shares that are none, and unknown words."""
        for name, tolerance in {"": self.tolerance_mm, **(self.class_tolerance_mm or {})}.items():
            if not 0 <= tolerance < math.inf:
                where = f"scoring.class_tolerance_mm.{name}" if name else "scoring.tolerance_mm"
                todo = "Give the tolerated distance in mm"
                raise ConfigError(expected_got(where, "not a distance", "a number from 0", tolerance, todo))
        if not 0 <= self.lesion_overlap <= 1:
            todo = "Give a share of a lesion's voxels"
            got = self.lesion_overlap
            raise ConfigError(expected_got("scoring.lesion_overlap", "not a share", "a number from 0 to 1", got, todo))
        words = ("always", "test", "never")
        if self.surface not in words:
            todo = "Say when surface distances are computed"
            raise ConfigError(expected_got("scoring.surface", "unknown word", f"one of {words}", self.surface, todo))

    def at(self, stage: str) -> "SegmentationScoring":
        """Decide for one stage.

        Args:
            stage: `val` or `test`.

        Returns:
            The same with `surface` being `always` or `never`; a validation without distances has no volumes either.
        """
        wanted = self.surface == "always" or (self.surface == "test" and stage == "test")
        return replace(
            self, surface="always" if wanted else "never", volume=self.volume and (wanted or stage == "test")
        )

    def tolerance_of(self, name: str) -> float:
        """Give the tolerance of a class in mm."""
        return (self.class_tolerance_mm or {}).get(name, self.tolerance_mm)

    def check(self, classes: tuple[str, ...]) -> None:
        """Refuse a tolerance for a class that there is not.

        Args:
            classes: The scored classes.

        Raises:
            ConfigError: A name of `class_tolerance_mm` is none of them.
        """
        unknown = sorted(set(self.class_tolerance_mm or {}) - set(classes))
        if unknown:
            todo = "Name classes that are scored"
            where = "scoring.class_tolerance_mm"
            raise ConfigError(expected_got(where, "unknown class", f"some of {list(classes)}", unknown, todo))
