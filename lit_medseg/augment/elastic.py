"""Bending an image smoothly."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from lit_medseg.augment.anisotropy import coarse_axes
from lit_medseg.augment.bspline import Bend
from lit_medseg.augment.drawing import Range, check_probability, check_range, uniform
from lit_medseg.errors import ConfigError, expected_got

_INJECTIVE = 0.4
"""Greatest displacement per distance of control points at which cubic B-splines of three axes cannot fold space.

Source: Choi, Lee 2000, doi:10.1111/1467-8659.00462, theorem 3 (1/2.48 for three axes).
"""


@dataclass(frozen=True)
class Elastic:
    """A cubic B-spline through random control points, as in free-form registration; it cannot fold.

    Nothing moves through a coarse axis. nnU-Net bends none: it found no gain over rotation and scaling.
    Source: Rueckert et al. 1999, doi:10.1109/42.796284.

    Attributes:
        probability: Share of samples that are bent.
        control_mm: Distance of the control points.
        displacement_mm: Greatest displacement of a control point along each axis; one number is drawn a sample.
    """

    probability: float = 0.0
    control_mm: float = 25.0
    displacement_mm: Range = (0.0, 6.0)

    def __post_init__(self) -> None:
        """Refuse unusable values.

        Raises:
            ConfigError: A probability or range is out of bounds, or the displacement could fold space.
        """
        check_probability("Elastic.probability", self.probability)
        check_range("Elastic.displacement_mm", self.displacement_mm, 0)
        if not self.displacement_mm[1] <= _INJECTIVE * self.control_mm:
            where, todo = "Elastic.displacement_mm", "Lower it, or raise control_mm"
            expected = f"at most {_INJECTIVE * self.control_mm:g} (0.4 of control_mm)"
            raise ConfigError(expected_got(where, "folds space", expected, self.displacement_mm[1], todo))

    def draw(self, rng: np.random.Generator, spacing_mm: Sequence[float], size: Sequence[int]) -> Bend | None:
        """Draw the control points of a patch; None where none are due.

        Args:
            rng: Draws.
            spacing_mm: Of all axes.
            size: Of the patch, in voxels.
        """
        if rng.random() >= self.probability:
            return None
        reach_mm = uniform(rng, self.displacement_mm)
        steps = tuple(spacing / self.control_mm for spacing in spacing_mm)
        # A cubic spline of n intervals has n + 3 control points.
        points = [max(1, int(np.ceil((side - 1) * step))) + 3 for side, step in zip(size, steps, strict=True)]
        control = rng.uniform(-reach_mm, reach_mm, (len(size), *points))
        control[list(coarse_axes(spacing_mm))] = 0
        return Bend(control / np.reshape(spacing_mm, (-1, *[1] * len(size))), steps)
