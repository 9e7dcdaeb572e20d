"""An invented patient: an abdominal cross-section with an organ and a lesion in it."""

from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

Plane = NDArray[np.float64]
ORGAN, LESION = 1, 2
AIR, FAT, MUSCLE, ORGAN_TISSUE, LESION_TISSUE = 0.02, 0.24, 0.46, 0.62, 0.42


@dataclass(frozen=True)
class Blob:
    """An ellipse with a wavy rim; lengths in units of half the image, (0, 0) is its centre, y points down.

    Attributes:
        x: Centre.
        y: Centre.
        across: Half axis along the tilted x.
        along: Half axis along the tilted y.
        tilt: Turn in radians.
        waves: `(n, 2)` amplitude (share of the radius) and phase of the harmonics 2, 3, ... of the rim.
    """

    x: float
    y: float
    across: float
    along: float
    tilt: float
    waves: NDArray[np.float64]

    def cover(self, size: int, scale: float = 1.0, shift: tuple[float, float] = (0.0, 0.0)) -> Plane:
        """Tell which share of each pixel the blob covers.

        Args:
            size: Height and width of the image in pixels.
            scale: Factor on both half axes; 0 gives nothing.
            shift: Added to the centre.

        Returns:
            `(size, size)` in [0, 1]; soft over one pixel at the rim (partial volume).
        """
        if scale <= 0:
            return np.zeros((size, size))
        steps = (np.arange(size) + 0.5) / (size / 2) - 1.0
        dx, dy = np.meshgrid(steps - self.x - shift[0], steps - self.y - shift[1])
        turn_x = dx * np.cos(self.tilt) + dy * np.sin(self.tilt)
        turn_y = dy * np.cos(self.tilt) - dx * np.sin(self.tilt)
        u, v = turn_x / (self.across * scale), turn_y / (self.along * scale)
        angle = np.arctan2(v, u)
        rim = 1.0 + sum(size_ * np.cos((n + 2) * angle + phase) for n, (size_, phase) in enumerate(self.waves))
        inside_px = (rim - np.hypot(u, v)) * scale * np.sqrt(self.across * self.along) * size / 2
        return np.asarray(np.clip(inside_px + 0.5, 0.0, 1.0))


@dataclass(frozen=True)
class Anatomy:
    """What one patient is made of; drawn once, cut at several heights.

    Attributes:
        body: Skin; the fat is its rim.
        muscle: The body without its fat.
        organ: The organ, liver-like.
        lesion: The lesion; it is cut off at the organ's rim.
        vessels: Bright tubes in the organ.
        others: Structures beside the organ, some as bright as the organ, some as the lesion, and their intensities.
        drift: How far the organ and what is in it move in x and y from height 0 to 1.
        lesion_height: Height of the lesion's largest cut, in [-1, 1].
    """

    body: Blob
    muscle: Blob
    organ: Blob
    lesion: Blob
    vessels: tuple[Blob, ...]
    others: tuple[tuple[Blob, float], ...]
    drift: tuple[float, float]
    lesion_height: float


def draw_anatomy(rng: np.random.Generator) -> Anatomy:
    """Draw a patient.

    Args:
        rng: Stream of that patient alone.

    Returns:
        The anatomy; organ and lesion are present at every height in [-1, 1].
    """
    blob = partial(_blob, rng)
    width, depth = rng.uniform(0.88, 0.95), rng.uniform(0.70, 0.80)
    still = np.zeros((0, 2))
    fat = rng.uniform(0.06, 0.14)
    organ = blob(-0.36, -0.08, 0.37, 0.41, wave=0.08)
    turn, away = rng.uniform(0, 2 * np.pi), rng.uniform(0.0, 0.36)
    lesion = blob(organ.x + away * organ.across * np.cos(turn), organ.y + away * organ.along * np.sin(turn), 0.17, 0.17)
    vessels = tuple(blob(organ.x + rng.normal(0, 0.12), organ.y + rng.normal(0, 0.12), 0.035, 0.035) for _ in range(3))
    others = _neighbours(rng)
    return Anatomy(
        body=Blob(0, 0.02, width, depth, 0, still),
        muscle=Blob(0, 0.02, width - fat, depth - fat, 0, still),
        organ=organ,
        lesion=lesion,
        vessels=vessels,
        others=others,
        drift=(rng.normal(0, 0.04), rng.normal(0, 0.06)),
        lesion_height=rng.uniform(-0.4, 0.4),
    )


def _blob(rng: np.random.Generator, x: float, y: float, across: float, along: float, wave: float = 0.04) -> Blob:
    """Draw a blob near a place, of about a size."""
    shift, stretch = rng.normal(0, 0.02, 2), rng.uniform(0.9, 1.1, 2)
    waves = np.stack([rng.normal(0, wave, 4) / np.arange(1, 5), rng.uniform(0, 2 * np.pi, 4)], axis=1)
    return Blob(x + shift[0], y + shift[1], across * stretch[0], along * stretch[1], rng.normal(0, 0.15), waves)


def _neighbours(rng: np.random.Generator) -> tuple[tuple[Blob, float], ...]:
    """Draw what lies beside the organ, each with its brightness."""
    blob = partial(_blob, rng)
    return (
        (blob(0.56, 0.06, 0.15, 0.24), rng.uniform(0.58, 0.66)),  # spleen: as bright as the organ
        (blob(0.30, -0.26, 0.20, 0.15), rng.uniform(0.38, 0.50)),  # stomach: as dark as the lesion
        (blob(0.30, -0.36, 0.11, 0.06), 0.06),  # gas in it
        (blob(-0.22, 0.44, 0.11, 0.09), rng.uniform(0.60, 0.72)),  # kidneys
        (blob(0.30, 0.42, 0.11, 0.09), rng.uniform(0.60, 0.72)),
        (blob(0.30, 0.42, 0.045, 0.04), LESION_TISSUE),  # a cyst outside the organ
        (blob(0.07, 0.20, 0.06, 0.06), 0.74),  # aorta
        (blob(0.02, 0.46, 0.12, 0.10), 0.92),  # vertebra and its marrow
        (blob(0.02, 0.46, 0.08, 0.065), 0.70),
        (blob(0.02, 0.61, 0.035, 0.07), 0.90),
    )


def cut(anatomy: Anatomy, height: float, size: int) -> tuple[Plane, NDArray[np.uint8]]:
    """Cut a patient at a height.

    Args:
        anatomy: The patient.
        height: Organ and lesion shrink away from their middle; both are there in [-1, 1], neither beyond 2.2.
        size: Height and width of the image in pixels.

    Returns:
        True intensities in [0, 1] without any scanner's doing, and codes: 0 background, 1 organ, 2 lesion.
    """
    image = np.full((size, size), AIR)

    def paint(cover: Plane, value: float) -> None:
        image[:] = image * (1 - cover) + value * cover

    shift = (anatomy.drift[0] * height, anatomy.drift[1] * height)
    muscle = anatomy.muscle.cover(size)
    paint(anatomy.body.cover(size), FAT)
    paint(muscle, MUSCLE)
    for blob, value in anatomy.others:
        paint(np.minimum(blob.cover(size, 1 - 0.1 * height**2), muscle), value)
    organ = np.minimum(anatomy.organ.cover(size, np.sqrt(max(0.0, 1 - 0.3 * height**2)), shift), muscle)
    lesion_scale = np.sqrt(max(0.0, 1 - 0.35 * (height - anatomy.lesion_height) ** 2))
    lesion = np.minimum(anatomy.lesion.cover(size, lesion_scale, shift), organ)
    paint(organ, ORGAN_TISSUE)
    for vessel in anatomy.vessels:
        paint(np.minimum(vessel.cover(size, 1.0, shift), organ), 0.74)
    paint(lesion, LESION_TISSUE)
    codes = np.zeros((size, size), np.uint8)
    codes[organ >= 0.5] = ORGAN
    codes[lesion >= 0.5] = LESION
    return image, codes
