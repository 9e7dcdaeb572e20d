"""The rows of `measurements.csv`, in units that the case has."""

import numpy as np
from numpy.typing import NDArray

from lit_medseg.inference.case_images import CaseImages
from lit_medseg.inference.mask_measurements import mask_measurements
from lit_medseg.metrics.row import Row
from lit_medseg.preprocess.trace import CaseTrace
from lit_medseg.target import Target


def case_measurements(
    case_id: str, codes: NDArray[np.integer], target: Target, trace: CaseTrace, images: CaseImages
) -> list[Row]:
    """Measure a predicted mask; see `mask_measurements`.

    Args:
        case_id: The case.
        codes: `(*S)` or overlapping `(K, *S)`, on the native grid.
        target: The classes.
        trace: Knows the spacing.
        images: The case's images on that grid.

    Returns:
        A row a class. Volumes: `voxels`, `volume_ml`, `largest_diameter_mm`. Pictures: `pixels` and, where their
        spacing is known, `area_mm2` and `largest_diameter_mm`. Without spacing lengths are counted in pixels or voxels:
        `largest_diameter_px`.
    """
    known = trace.known_mm is not None
    spacing = trace.known_mm or (1.0,) * len(trace.grid)
    rows = mask_measurements(case_id, codes, target, spacing, images.planes())
    names = {"voxels": "pixels"} if len(trace.grid) == 2 else {}
    if not known:
        names["largest_diameter_mm"] = "largest_diameter_px"
    dropped = () if known else ("volume_ml", "area_mm2")
    return [{names.get(key, key): value for key, value in row.items() if key not in dropped} for row in rows]
