"""What a predicted mask measures: the rows of the CSV beside the masks."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lit_medseg.errors import DataError, expected_got
from lit_medseg.inference.largest_diameter import largest_diameter_mm
from lit_medseg.inference.post_process.components import component_sizes
from lit_medseg.metrics.class_masks import class_masks
from lit_medseg.metrics.row import Row
from lit_medseg.target import Target

Box = tuple[slice, ...]


def mask_measurements(
    case_id: str,
    codes: NDArray[np.integer],
    target: Target,
    spacing_mm: Sequence[float] | None,
    images: Mapping[str, NDArray[np.generic]],
) -> list[Row]:
    """Measure one case, a row for each class but the background.

    Args:
        case_id: The case.
        codes: `(*S)`, overlapping classes `(K, *S)` of 0 and 1, on the native grid.
        target: How the codes are meant.
        spacing_mm: Distance of voxel centres along each axis of S; None where it is unknown.
        images: The intensities `(*S)` of each channel, as they are in the files (HU for CT), by name; only those on the
            mask's grid.

    Returns:
        In the order of the classes: `case_id`, `class`, `voxels`, `components` (connected by faces, edges or corners);
        where the spacing is known `volume_ml` (2D: `area_mm2`) and `largest_diameter_mm`, the greatest distance between
        two voxel centres of the largest component: a stray voxel far away does not count; and `mean_<channel>`. An
        absent class has zeros, and NaN for diameter and means.

    Raises:
        DataError: An image is not on the mask's grid.
    """
    spacing = None if spacing_mm is None else tuple(float(step) for step in spacing_mm)
    rows: list[Row] = []
    for name, masks in zip(target.foreground, class_masks(codes, codes, target), strict=True):
        box = masks.box or (slice(0, 0),) * masks.prediction.ndim
        mask, _ = masks.cut()
        row: Row = {"case_id": case_id, "class": name, **_sizes(mask, spacing)}
        for channel, image in images.items():
            _check_grid(case_id, channel, image, masks.prediction)
            row[f"mean_{channel}"] = _mean(image, box, mask)
        rows.append(row)
    return rows


def _sizes(mask: NDArray[np.bool_], spacing_mm: tuple[float, ...] | None) -> Row:
    """Measure what needs no image."""
    labels, sizes = component_sizes(mask)
    voxels = int(sizes.sum())
    row: Row = {"voxels": voxels, "components": len(sizes)}
    if spacing_mm is not None:
        size_mm = voxels * math.prod(spacing_mm)
        row |= {"volume_ml": size_mm / 1000} if len(spacing_mm) == 3 else {"area_mm2": size_mm}
        largest = labels == 1 + sizes.argmax() if voxels else mask
        row["largest_diameter_mm"] = largest_diameter_mm(largest, spacing_mm)
    return row


def _mean(image: NDArray[Any], box: Box, mask: NDArray[np.bool_]) -> float:
    return float(image[box][mask].mean(dtype=np.float64)) if mask.any() else float("nan")


def _check_grid(case_id: str, channel: str, image: NDArray[Any], mask: NDArray[Any]) -> None:
    if image.shape != mask.shape:
        todo = "Measure channels on the mask's grid"
        where = f"case {case_id}, channel {channel}"
        raise DataError(expected_got(where, "not on the mask's grid", mask.shape, image.shape, todo))
