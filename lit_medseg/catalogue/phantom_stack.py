"""An invented patient in three dimensions, as a scanner sees it."""

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from lit_medseg.catalogue.phantom_anatomy import Anatomy, cut
from lit_medseg.catalogue.phantom_scanner import Scanner, coil_profile

REACH = 2.1  # heights, beyond organ and lesion
UNITS = 1000  # of the stored numbers for a true intensity of 1
FIELD_MM = 240.0
HEIGHT_MM = 140.0
TILT_DEGREES = 12.0


def stack(anatomy: Anatomy, slices: int, size: int) -> tuple[NDArray[np.float64], NDArray[np.uint8]]:
    """Cut a patient into axial slices, from the feet to the head; organ and lesion close at both ends.

    Args:
        anatomy: The patient.
        slices: How many.
        size: Height and width of a slice.

    Returns:
        True intensities in [0, 1] and codes (0 background, 1 organ, 2 lesion), both `(D, H, W)`: d grows to the head, h
        to the back, w to the patient's left.
    """
    heights = ((np.arange(slices) + 0.5) / slices * 2 - 1) * REACH
    planes = [cut(anatomy, float(height), size) for height in heights]
    return np.stack([true for true, _ in planes]), np.stack([codes for _, codes in planes])


def acquire_stack(
    true: NDArray[np.float64], scanner: Scanner, second: bool, rng: np.random.Generator
) -> NDArray[np.int16]:
    """Take a volume: `phantom_scanner.acquire` in three dimensions, and in 16 bits.

    Args:
        true: `(D, H, W)` in [0, 1].
        scanner: The machine.
        second: Whether bright and dark tissues change places, as from T1 to T2 weighting.
        rng: Stream of this volume alone.

    Returns:
        `(D, H, W)` int16; a true intensity of 1 is about 1000.
    """
    height, width = true.shape[1:]
    tissue = np.where(true < 0.12, true, 1.0 - true) if second else true
    texture = gaussian_filter(rng.normal(0, 1, true.shape), (0.7, *(1.5 * width / 96,) * 2))
    tissue = tissue * (1 + 0.04 * texture / texture.std())
    blurred = gaussian_filter(tissue, (0.0, *(scanner.blur_px * width / 96,) * 2))
    signal = blurred * coil_profile(height, width, scanner.bias, rng) * scanner.gain
    real, imaginary = rng.normal(0, scanner.noise, (2, *true.shape))
    volume: NDArray[np.int16] = np.round(np.hypot(signal + real, imaginary) * UNITS).astype(np.int16)
    return volume


def draw_affine(shape: tuple[int, int, int], rng: np.random.Generator) -> NDArray[np.float64]:
    """Draw how a volume lies in the scanner: turned a little about each axis, its spacing by the patient's size.

    Args:
        shape: `(D, H, W)`.
        rng: Stream of this patient.

    Returns:
        4x4, index (d, h, w) to RAS+ millimetres.
    """
    from scipy.spatial.transform import Rotation  # noqa: PLC0415 only who makes volumes needs it

    # the scanner offers steps of a tenth of a millimetre
    spacing_mm = np.round(np.array([HEIGHT_MM, FIELD_MM, FIELD_MM]) * rng.uniform(0.9, 1.1) / shape, 1)
    turn = Rotation.from_euler("xyz", rng.uniform(-TILT_DEGREES, TILT_DEGREES, 3), degrees=True).as_matrix()
    towards = np.array([[0, 0, -1], [0, -1, 0], [1, 0, 0]])  # head, back and left as columns in RAS+
    affine = np.eye(4)
    affine[:3, :3] = turn @ towards * spacing_mm
    middle = affine[:3, :3] @ ((np.array(shape) - 1) / 2)
    affine[:3, 3] = rng.uniform(-20, 20, 3) - middle
    return affine
