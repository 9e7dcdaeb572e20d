"""Where each class is, as a few positions: patches are centred on them without scanning masks."""

import zlib

import numpy as np
from numpy.typing import NDArray

MOST = 4096
"""Positions kept of one class of one case."""


def class_locations(mask: NDArray[np.integer], case_id: str) -> tuple[NDArray[np.int32], ...]:
    """Draw up to `MOST` voxels of every foreground class, each voxel with the same chance.

    Args:
        mask: Codes `(1, *S)` with 0 for background, or planes `(K, *S)` of 0 and 1.
        case_id: Seeds the draw: the same case gives the same positions.

    Returns:
        Codes: one array for each code from 1 to the greatest one of this case. Planes: one for each plane. Each is
        `(n, len(S))`, in row-major order; n = 0 for a class that is absent.
    """
    rng = np.random.default_rng(zlib.crc32(case_id.encode()))
    if len(mask) > 1:
        found = [np.flatnonzero(plane) for plane in mask]
    else:
        flat = mask.reshape(-1)
        places = np.flatnonzero(flat)
        codes = flat[places]
        order = np.argsort(codes, kind="stable")
        ends = np.searchsorted(codes[order], np.arange(1, int(flat.max()) + 1), side="right")
        found = np.split(places[order], ends[:-1]) if len(ends) else []
    return tuple(_positions(_some(places, rng), mask.shape[1:]) for places in found)


def _some(places: NDArray[np.intp], rng: np.random.Generator) -> NDArray[np.intp]:
    """Draw without replacement, in order."""
    return places if len(places) <= MOST else np.sort(rng.choice(places, MOST, replace=False, shuffle=False))


def _positions(places: NDArray[np.intp], grid: tuple[int, ...]) -> NDArray[np.int32]:
    return np.stack(np.unravel_index(places, grid), axis=1).astype(np.int32)
