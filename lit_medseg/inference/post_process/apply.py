"""Post-processing of whole predictions: from classes to masks and back."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from scipy.spatial import KDTree

from lit_medseg.inference.post_process.post_process import Mask, PostProcess
from lit_medseg.metrics.surface_distances import surface_voxels
from lit_medseg.target import MultiLabel, Target

Codes = NDArray[np.integer]
Box = tuple[slice, ...]


def post_processed(
    codes: Codes, target: Target, spacing_mm: Sequence[float] | None, steps: Sequence[PostProcess]
) -> Codes:
    """Apply changes one after the other, each on what the ones before it left.

    Exclusive classes: what a class loses becomes background, and only background is added to a class, class by class in
    their order; what is added to several classes together becomes the class of the nearest voxel. Overlapping classes:
    no plane is changed for another's sake; what is added or removed to or from several together is so in each, as the
    nearest voxel has it.

    Args:
        codes: `(*S)` integer, overlapping classes `(K, *S)` of 0 and 1; on the native grid.
        target: How the codes are meant.
        spacing_mm: Distance of voxel centres along each axis of S; None where it is unknown: lengths are then pixels.
        steps: The changes; none leaves all as it is.

    Returns:
        A new array of the same shape and dtype.

    Raises:
        ConfigError: A change names an unknown class, or removes where there is no background.
    """
    codes = codes.copy()
    overlapping = isinstance(target, MultiLabel)
    spacing = (1.0,) * (codes.ndim - overlapping) if spacing_mm is None else tuple(map(float, spacing_mm))
    for step in steps:
        places = step.places(target)
        boxes = _boxes(codes, places, overlapping)
        for group in [places] if step.together else [(place,) for place in places]:
            box = _joint([boxes[place] for place in group], codes.shape[overlapping:], step.margin(spacing))
            if box is None:
                continue
            if overlapping:
                _change_planes(codes[(slice(None), *box)], group, step, spacing)
            else:
                _change_codes(codes[box], group, step, spacing)
    return codes


def _boxes(codes: Codes, places: tuple[int, ...], overlapping: bool) -> dict[int, Box | None]:
    if overlapping:
        return {place: ndimage.find_objects(codes[place], max_label=1)[0] for place in places}
    found = ndimage.find_objects(codes, max_label=max(places))
    return {place: found[place - 1] for place in places}


def _joint(boxes: list[Box | None], grid: tuple[int, ...], margin: tuple[int, ...]) -> Box | None:
    """The box that holds all boxes and a margin, within the image; None where there is no voxel."""
    there = [box for box in boxes if box is not None]
    if not there:
        return None
    return tuple(
        slice(
            max(0, min(box[axis].start for box in there) - margin[axis]),
            min(side, max(box[axis].stop for box in there) + margin[axis]),
        )
        for axis, side in enumerate(grid)
    )


def _change_codes(codes: Codes, group: tuple[int, ...], step: PostProcess, spacing_mm: tuple[float, ...]) -> None:
    """Change a cut of the codes in place."""
    mask: Mask = np.asarray(np.isin(codes, group) if len(group) > 1 else codes == group[0])
    changed = step.change(mask, spacing_mm)
    added = changed & ~mask & (codes == 0)
    codes[added] = codes[_nearest(mask, added, spacing_mm)] if len(group) > 1 else group[0]
    codes[mask & ~changed] = 0


def _change_planes(codes: Codes, group: tuple[int, ...], step: PostProcess, spacing_mm: tuple[float, ...]) -> None:
    """Change some planes of a cut of them all in place."""
    mask: Mask = np.asarray(codes[list(group)].any(axis=0))
    changed = step.change(mask, spacing_mm)
    added = changed & ~mask
    nearest = _nearest(mask, added, spacing_mm)
    for place in group:
        codes[place][added] = codes[place][nearest]
        codes[place][mask & ~changed] = 0


def _nearest(mask: Mask, added: Mask, spacing_mm: tuple[float, ...]) -> tuple[NDArray[np.intp], ...]:
    """Where the nearest voxel of the mask is, for each voxel that is added."""
    edge = np.argwhere(surface_voxels(mask))
    tree = KDTree(edge * np.asarray(spacing_mm))
    return tuple(edge[tree.query(np.argwhere(added) * np.asarray(spacing_mm))[1]].T)
