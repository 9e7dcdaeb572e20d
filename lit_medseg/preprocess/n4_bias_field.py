"""Uneven brightness of MR coils taken out."""

from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lit_medseg.errors import ConfigError, expected_got
from lit_medseg.imaging.volume import Volume
from lit_medseg.preprocess.region import otsu_threshold
from lit_medseg.preprocess.selective_step import SelectiveStep


@dataclass(frozen=True)
class N4BiasField(SelectiveStep):
    """Each channel is divided by the smooth field that N4 finds in it; float32. Slow: seconds to minutes a case.

    The field is estimated on a smaller image (it is smooth) within Otsu's foreground, and applied at full size. ITK
    uses all processors for one image.

    Source: Tustison et al. 2010, doi:10.1109/TMI.2010.2046908 (SimpleITK's N4BiasFieldCorrectionImageFilter).

    Attributes:
        shrink: By how much the image is thinned out for the estimate, along each axis that stays at least 32 long.
        iterations: Most iterations at each of the levels, coarse to fine.
        convergence: Change of the field at which a level ends.
        channels: Names of the channels to change; None for all.
    """

    shrink: int = 4
    iterations: tuple[int, ...] = (50, 50, 50, 50)
    convergence: float = 0.001

    def __post_init__(self) -> None:
        """Refuse values that mean nothing.

        Raises:
            ConfigError: A factor, number of iterations or threshold that is not positive.
        """
        if self.shrink < 1 or not self.iterations or min(self.iterations) < 1 or not self.convergence > 0:
            got = f"{self.shrink}, {list(self.iterations)} and {self.convergence}"
            raise ConfigError(expected_got("n4_bias_field", "unusable", "positive numbers", got, "Correct them"))

    def change(self, image: Volume) -> Volume:
        """Divide each channel by its field; a constant channel stays, and so does one that is but a line."""
        axes = [axis for axis, side in enumerate(image.grid) if side > 1]
        if len(axes) < 2:
            return image.with_array(image.array.astype(np.float32))
        spacing, thick = [image.spacing_mm[axis] for axis in axes], [image.grid[axis] for axis in axes]
        planes = [self._corrected(channel.reshape(thick), spacing).reshape(image.grid) for channel in image.array]
        return image.with_array(np.stack(planes))

    def _corrected(self, channel: NDArray[Any], spacing_mm: Sequence[float]) -> NDArray[np.float32]:
        sitk: Any = import_module("SimpleITK")  # not at the top: half a second that few runs need
        wide = channel.astype(np.float32)
        inside = wide > otsu_threshold(wide)
        factors = [self.shrink if side >= 32 * self.shrink else max(1, side // 32) for side in wide.shape]
        thinned = inside[tuple(slice(factor // 2, None, factor) for factor in factors)]
        if not thinned.any():
            return wide
        picture, mask = sitk.GetImageFromArray(wide), sitk.GetImageFromArray(inside.astype(np.uint8))
        picture.SetSpacing([float(mm) for mm in reversed(spacing_mm)])
        mask.CopyInformation(picture)
        n4 = sitk.N4BiasFieldCorrectionImageFilter()
        n4.SetMaximumNumberOfIterations(list(self.iterations))
        n4.SetConvergenceThreshold(self.convergence)
        n4.Execute(sitk.Shrink(picture, factors[::-1]), sitk.Shrink(mask, factors[::-1]))
        field = np.exp(sitk.GetArrayFromImage(n4.GetLogBiasFieldAsImage(picture)))
        corrected: NDArray[np.float32] = (wide / field).astype(np.float32)
        return corrected
