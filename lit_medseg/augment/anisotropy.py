"""Which axes are sampled too coarsely to turn an image through them."""

from collections.abc import Sequence

COARSE = 3.0
"""An axis whose spacing is over three times the finest is coarse.

Source: Isensee et al. 2021, doi:10.1038/s41592-020-01008-z, supplementary note 2 (anisotropic data are augmented in
the plane only).
"""


def coarse_axes(spacing_mm: Sequence[float]) -> tuple[int, ...]:
    """List the coarse axes.

    Args:
        spacing_mm: Of all axes.

    Returns:
        Their numbers; empty for isotropic images and for pictures.
    """
    finest = min(spacing_mm)
    return tuple(axis for axis, spacing in enumerate(spacing_mm) if spacing > COARSE * finest)
