"""What a scanner does to a true image: coil profile, blur, gain, noise, eight bits."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter


@dataclass(frozen=True)
class Scanner:
    """One machine.

    Attributes:
        name: As the table of cases has it.
        noise: Standard deviation of the noise in each of the two receiver channels, true intensities being 0 to 1.
        blur_px: Standard deviation of the point spread for an image 96 pixels wide; wider images blur more pixels.
        gain: Factor on the signal.
        bias: Largest share that the coil profile adds or takes.
    """

    name: str
    noise: float
    blur_px: float
    gain: float
    bias: float


SCANNERS = (
    Scanner("alpha", noise=0.020, blur_px=0.45, gain=0.95, bias=0.10),
    Scanner("beta", noise=0.030, blur_px=0.70, gain=0.80, bias=0.15),
    Scanner("gamma", noise=0.042, blur_px=0.55, gain=1.10, bias=0.20),
)


def acquire(true: NDArray[np.float64], scanner: Scanner, rng: np.random.Generator) -> NDArray[np.uint8]:
    """Take a picture.

    Magnitude images have Rician noise: the length of a complex signal with Gaussian noise in both parts.
    Source: Gudbjartsson and Patz 1995, doi:10.1002/mrm.1910340618, equation 1.

    Args:
        true: `(H, W)` in [0, 1].
        scanner: The machine.
        rng: Stream of this picture alone.

    Returns:
        `(H, W)` uint8.
    """
    height, width = true.shape
    texture = gaussian_filter(rng.normal(0, 1, true.shape), 1.5 * width / 96)
    tissue = true * (1 + 0.04 * texture / texture.std())
    signal = (
        gaussian_filter(tissue, scanner.blur_px * width / 96)
        * coil_profile(height, width, scanner.bias, rng)
        * scanner.gain
    )
    real, imaginary = rng.normal(0, scanner.noise, (2, height, width))
    picture: NDArray[np.uint8] = np.round(np.clip(np.hypot(signal + real, imaginary), 0, 1) * 255).astype(np.uint8)
    return picture


def coil_profile(height: int, width: int, bias: float, rng: np.random.Generator) -> NDArray[np.float64]:
    """Draw a smooth profile `(H, W)` within 1 - bias and 1 + bias: a slope and a bowl."""
    y, x = np.meshgrid(np.linspace(-1, 1, height), np.linspace(-1, 1, width), indexing="ij")
    slope, bowl = rng.uniform(0, 2 * np.pi), rng.uniform(-1, 1)
    profile = np.cos(slope) * x + np.sin(slope) * y + bowl * (x**2 + y**2 - 1)
    return np.asarray(1 + bias * profile / np.abs(profile).max())
