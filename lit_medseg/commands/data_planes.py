"""Planes of a volume as a radiologist hangs them: the patient's right on the left, front and head up."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lit_medseg.imaging.late_imports import LATE_IMPORTS
from lit_medseg.imaging.volume import Volume
from lit_medseg.preprocess.sample import Sample

THIN = 0.05  # of the width: a plane that is flatter shows nothing
NAMES = ("axial", "coronal", "sagittal")
SIDES = (("R", "A"), ("R", "S"), ("A", "S"))
"""What is left and what is up, by plane."""


@dataclass(frozen=True)
class Plane:
    """One picture of a sheet.

    Attributes:
        title: Which plane, and of which channel where it is another one.
        image: `(H, W)` gray, or `(H, W, 3)` colours.
        codes: `(K, H, W)`: masks of 0 and 1 by class, or one of codes; None without a mask.
        aspect: Height of a pixel over its width.
        sides: What is left and what is up; empty texts where it is unknown.
    """

    title: str
    image: NDArray[np.generic]
    codes: NDArray[np.generic] | None
    aspect: float
    sides: tuple[str, str] = ("", "")


def planes(sample: Sample) -> list[Plane]:
    """Cut a case through its largest foreground.

    Args:
        sample: Images and mask.

    Returns:
        A picture as it is; of a volume an axial, a coronal and a sagittal plane of the channel that the mask lies on,
        then the same axial plane of the other channels, wherever they lie.
    """
    base = _base(sample)
    if len(base.grid) == 2:
        colours = base.array.shape[0] == 3
        image = np.moveaxis(base.array, 0, -1) if colours else base.array[0]
        codes = None if sample.mask is None else sample.mask.array
        return [Plane("", image, codes, base.spacing_mm[0] / base.spacing_mm[1])]
    return [*_three(base, sample.mask), *_others(base, sample)]


def _base(sample: Sample) -> Volume:
    """Choose the image that the mask lies on."""
    same = [image for image in sample.images if image.grid == sample.native.grid and _one_place(image, sample.native)]
    return (same or list(sample.images))[0]


def _one_place(a: Volume, b: Volume) -> bool:
    return a.affine is None or b.affine is None or np.allclose(a.affine, b.affine)


def _three(base: Volume, mask: Volume | None) -> Iterator[Plane]:
    hung, codes = hang(base), None if mask is None else hang(mask).array
    centre = _centre(hung.grid, codes)
    for axis, (name, sides) in enumerate(zip(NAMES, SIDES, strict=True)):
        rows, columns = (other for other in range(3) if other != axis)
        if hung.grid[rows] * hung.spacing_mm[rows] < THIN * hung.grid[columns] * hung.spacing_mm[columns]:
            continue
        yield Plane(
            name if hung.affine is not None else f"along axis {axis}",
            np.take(hung.array[0], centre[axis], axis),
            None if codes is None else np.take(codes, centre[axis], axis + 1),
            hung.spacing_mm[rows] / hung.spacing_mm[columns],
            sides if hung.affine is not None else ("", ""),
        )


def _others(base: Volume, sample: Sample) -> Iterator[Plane]:
    """Show the axial plane in the other channels, interpolated where they lie on other grids."""
    hung, codes = hang(base), None if sample.mask is None else hang(sample.mask).array
    at = _centre(hung.grid, codes)[0]
    aspect = hung.spacing_mm[1] / hung.spacing_mm[2]
    for place, image in enumerate(sample.images):
        if image is base:
            continue
        name = sample.channels[place] if sample.channels else f"channel {place}"
        plane = _plane_of(image, hung, at)
        yield Plane(name, plane, None if codes is None else codes[:, at].copy(), aspect, SIDES[0])


def _plane_of(image: Volume, hung: Volume, at: int) -> NDArray[np.generic]:
    """Interpolate another volume on one axial plane."""
    with LATE_IMPORTS:
        from scipy.ndimage import map_coordinates  # noqa: PLC0415 start-up stays quick without scipy

    if image.affine is None or hung.affine is None:
        return np.asarray(np.take(image.array[0], at, 0))
    rows, columns = np.meshgrid(*(np.arange(size) for size in hung.grid[1:]), indexing="ij")
    points = np.stack([np.full(rows.shape, at), rows, columns, np.ones(rows.shape)])
    across = np.linalg.inv(image.affine) @ hung.affine
    places = np.tensordot(across[:3], points, axes=1)
    plane = map_coordinates(image.array[0].astype(np.float32), places, order=1, cval=float(image.array.min()))
    return np.asarray(plane)


def hang(volume: Volume) -> Volume:
    """Turn a volume so that its axes point down, back and to the patient's left; as it is where that is unknown."""
    if volume.affine is None:
        return volume
    axes = volume.affine[:3, :3] / np.linalg.norm(volume.affine[:3, :3], axis=0)
    order = _order(np.abs(axes))
    array = volume.array.transpose(0, *(axis + 1 for axis in order))
    affine = volume.affine[:, [*order, 3]].copy()
    for place, world in enumerate((2, 1, 0)):
        if affine[world, place] > 0:
            array = np.flip(array, place + 1)
            affine[:3, 3] += affine[:3, place] * (array.shape[place + 1] - 1)
            affine[:3, place] *= -1
    return Volume(array, tuple(volume.spacing_mm[axis] for axis in order), affine)


def _order(strength: NDArray[np.float64]) -> tuple[int, ...]:
    """Choose the array axes that run head to foot, front to back and side to side, each axis once."""
    orders = [(a, b, 3 - a - b) for a in range(3) for b in range(3) if a != b]
    return max(orders, key=lambda order: strength[2, order[0]] + strength[1, order[1]] + strength[0, order[2]])


def _centre(grid: Sequence[int], codes: NDArray[np.generic] | None) -> tuple[int, int, int]:
    """Find, along each axis, the plane with most foreground; the middle where there is none."""
    if codes is None or not codes.any():
        return (grid[0] // 2, grid[1] // 2, grid[2] // 2)
    inside = codes.any(axis=0)
    first, second, third = (
        int(np.argmax(np.count_nonzero(inside, axis=tuple(other for other in range(3) if other != axis))))
        for axis in range(3)
    )
    return (first, second, third)
