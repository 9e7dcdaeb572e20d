"""Noise averaged away over places that look alike."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from lit_medseg.errors import ConfigError, expected_got
from lit_medseg.imaging.volume import Volume
from lit_medseg.preprocess.selective_step import SelectiveStep


@dataclass(frozen=True)
class NonLocalMeans(SelectiveStep):
    """Each voxel becomes the mean of those around it, weighted by how alike their neighbourhoods are; float32.

    Of the libraries at hand OpenCV's takes 8-bit pictures only and SimpleITK's takes minutes for a small volume: here
    one shift of the whole image after the other is compared, so that the cost is one pass over the image a shift
    (half of them: a pair is compared once), for two and three dimensions.

    Source: Buades et al. 2005, doi:10.1109/CVPR.2005.38; Coupe et al. 2008, doi:10.1109/TMI.2007.906087 (h² = 2 beta
    sigma² per voxel of a patch, sigma from pseudo-residuals); Darbon et al. 2008,
    doi:10.1109/ISBI.2008.4541250 (by shifts).

    Attributes:
        search: Voxels to each side among which alike places are looked for.
        patch: Voxels to each side that make up a neighbourhood.
        strength: Coupe's beta: 1 for the noise that is estimated, less keeps more texture.
        channels: Names of the channels to change; None for all.
    """

    search: int = 3
    patch: int = 1
    strength: float = 1.0

    def __post_init__(self) -> None:
        """Refuse values that mean nothing.

        Raises:
            ConfigError: One that is not positive.
        """
        if min(self.search, self.patch) < 1 or not self.strength > 0:
            got = f"{self.search}, {self.patch} and {self.strength}"
            raise ConfigError(expected_got("non_local_means", "unusable", "positive numbers", got, "Correct them"))

    def change(self, image: Volume) -> Volume:
        """Denoise each channel; one without noise (a constant) stays."""
        return image.with_array(np.stack([self._denoised(channel) for channel in image.array]))

    def _denoised(self, channel: NDArray[Any]) -> NDArray[np.float32]:
        """Compare the channel with each of its shifts; voxels beyond the edge take no part."""
        wide = channel.astype(np.float32)
        bandwidth = 2.0 * self.strength * noise_variance(wide)
        if bandwidth == 0:
            return wide
        total, weights = wide.copy(), np.ones_like(wide)
        for here, there in _shifts(wide.shape, self.search):
            apart = (wide[here] - wide[there]) ** 2
            alike = np.exp(ndimage.uniform_filter(apart, 2 * self.patch + 1, mode="nearest") / -bandwidth)
            total[here] += alike * wide[there]
            total[there] += alike * wide[here]
            weights[here] += alike
            weights[there] += alike
        denoised: NDArray[np.float32] = total / weights
        return denoised


def noise_variance(channel: NDArray[np.float32]) -> float:
    """Estimate the variance of white noise by what neighbours do not explain.

    Source: Coupe et al. 2008, doi:10.1109/TMI.2007.906087 (pseudo-residuals): the difference of a voxel and
    the mean of its n nearest neighbours has the variance (1 + 1/n) sigma².

    Args:
        channel: Two or three dimensions.

    Returns:
        Sigma squared in the squared unit of the image; 0 for a constant one.
    """
    axes = [axis for axis, side in enumerate(channel.shape) if side > 1]
    if not axes:
        return 0.0
    near = np.zeros_like(channel)
    for axis in axes:
        near += ndimage.correlate1d(channel, [1.0, 0.0, 1.0], axis=axis, mode="mirror")
    count = 2 * len(axes)
    residual = (channel - near / count) / np.sqrt(1.0 + 1.0 / count)
    return float(np.mean(residual**2, dtype=np.float64))


def _shifts(shape: tuple[int, ...], search: int) -> Iterator[tuple[tuple[slice, ...], tuple[slice, ...]]]:
    """Give the two overlapping parts for one of each pair of opposite shifts."""
    for shift in product(range(-search, search + 1), repeat=len(shape)):
        if shift <= (0,) * len(shape) or any(abs(by) >= side for by, side in zip(shift, shape, strict=True)):
            continue
        pairs = list(zip(shift, shape, strict=True))
        yield (
            tuple(slice(max(0, by), side + min(0, by)) for by, side in pairs),
            tuple(slice(max(0, -by), side - max(0, by)) for by, side in pairs),
        )
