"""Whether the volumes of a case can be looked at voxel by voxel."""

from collections.abc import Sequence

from lit_medseg.errors import DataError, expected_got
from lit_medseg.imaging.same_grid import grid_difference_mm, grid_tolerance_mm
from lit_medseg.imaging.volume import Volume


def check_one_grid(volumes: Sequence[Volume], where: str) -> None:
    """Refuse volumes whose voxels do not lie at the same points; equal shapes are not enough.

    Args:
        volumes: Channels, and perhaps the mask, of one case.
        where: What the error calls the place.

    Raises:
        DataError: Another shape, or corners further apart than `grid_tolerance_mm`, with the difference.
    """
    for volume in volumes[1:]:
        apart_mm, allowed_mm = grid_difference_mm(volume, volumes[0]), grid_tolerance_mm(volumes[0])
        if apart_mm <= allowed_mm:
            continue
        if volume.grid != volumes[0].grid:
            expected, got = f"one, {volumes[0].grid}", f"{volume.grid}"
        else:
            expected, got = f"corners at most {allowed_mm:.3g} mm apart", f"{apart_mm:.3g} mm"
        todo = "Put lit_medseg.preprocess.onto_channel.OntoChannel first in data.preparation.steps"
        raise DataError(expected_got(where, "channels or mask on different grids", expected, got, todo))
