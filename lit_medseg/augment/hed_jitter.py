"""Other stains of the same tissue, for albumentations."""

import os
from typing import Annotated, Any

import cv2
import numpy as np
from numpy.typing import NDArray
from pydantic import AfterValidator, Field

# At import, albumentations asks a package index for a newer version unless told not to.
os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")

from albumentations import ImageOnlyTransform
from albumentations.core.pydantic import check_range_bounds, nondecreasing
from albumentations.core.transforms_interface import BaseTransformInitSchema

STAINS = np.array([[0.65, 0.70, 0.29], [0.07, 0.99, 0.11], [0.27, 0.57, 0.78]])
"""Absorption of red, green and blue by haematoxylin, eosin and DAB; Ruifrok, Johnston 2001, table 1."""

_DARKEST = 1 / 255
"""Darker values count as this: the logarithm of 0 has no bound. They stay black all the same."""


class HEDJitter(ImageOnlyTransform):  # type: ignore[misc]  # albumentations has no types that mypy follows
    """The amounts of haematoxylin, eosin and DAB (or residual) change, each by a factor and a shift of its own.

    A picture is unmixed into stains in decadic optical density, as light is absorbed; factor 1 and shift 0 give back
    every pixel exactly, and black stays black. `albumentations.HEStain` is something else: it keeps two stains and
    drops the rest of each colour, so that pixels change even where nothing is drawn.

    Source: Tellez et al. 2018, doi:10.1109/TMI.2018.2820199 (the transform); Tellez et al. 2019,
    doi:10.1016/j.media.2019.101544 (ranges: 0.05 is their HED-light, 0.2 HED-strong); Ruifrok, Johnston 2001, Anal
    Quant Cytol Histol 23:291-299 (the unmixing).

    Args:
        factor_limit: Factors are 1 plus a number of this range.
        shift_limit: Range of the shifts, in optical density: 0.05 darkens by 11 per cent.
        p: Share of samples that are changed.
    """

    class InitSchema(BaseTransformInitSchema):  # type: ignore[misc]  # as above
        """What albumentations checks; wrong values become its ValueError."""

        factor_limit: Annotated[
            tuple[float, float], AfterValidator(check_range_bounds(-1, 1)), AfterValidator(nondecreasing)
        ]
        shift_limit: Annotated[
            tuple[float, float], AfterValidator(check_range_bounds(-1, 1)), AfterValidator(nondecreasing)
        ]
        p: Annotated[float, Field(ge=0, le=1)]

    def __init__(
        self,
        factor_limit: tuple[float, float] = (-0.05, 0.05),
        shift_limit: tuple[float, float] = (-0.05, 0.05),
        p: float = 0.5,
    ) -> None:
        super().__init__(p=p)
        self.factor_limit, self.shift_limit = factor_limit, shift_limit

    def get_params(self) -> dict[str, Any]:
        """Draw a factor and a shift for each stain."""
        return {
            "factors": [1 + self.py_random.uniform(*self.factor_limit) for _ in STAINS],
            "shifts": [self.py_random.uniform(*self.shift_limit) for _ in STAINS],
        }

    def apply(self, img: NDArray[Any], factors: list[float], shifts: list[float], **params: Any) -> NDArray[Any]:
        """Change a picture; one that is not RGB is refused.

        Raises:
            ValueError: It has not three channels.
        """
        if img.shape[-1] != 3:
            raise ValueError(f"HEDJitter: not stained, expected 3 channels, got {img.shape[-1]}. Put ToRGB before it.")
        return change_stains(img, factors, shifts)


def change_stains(image: NDArray[Any], factors: list[float], shifts: list[float]) -> NDArray[Any]:
    """Multiply and shift the amounts of the three stains.

    Args:
        image: `(H, W, 3)` RGB; uint8, or float32 within [0, 1].
        factors: Of haematoxylin, eosin and DAB.
        shifts: Of the same, in decadic optical density.

    Returns:
        The same shape and dtype, clipped to its range.
    """
    # Light that passes, T = 10^-D: a change of density is a factor of the light, and of the picture as it is.
    mixing = np.linalg.inv(STAINS) @ np.diag(np.array(factors) - 1) @ STAINS
    more = np.array(shifts) @ STAINS
    eight_bit = image.dtype == np.uint8
    density = cv2.LUT(image, _densities()) if eight_bit else -np.log10(np.maximum(image, _DARKEST, dtype=np.float32))
    change = cv2.transform(density, np.hstack([mixing.T, more[:, None]]))
    light: NDArray[np.float32] = image * np.exp(change * np.float32(-np.log(10)))
    light = np.clip(np.rint(light), 0, 255) if eight_bit else np.clip(light, 0, 1)
    return light.astype(image.dtype)


def _densities() -> NDArray[np.float32]:
    """Give the optical density of each 8-bit value."""
    values = np.maximum(np.arange(256) / 255, _DARKEST)
    densities: NDArray[np.float32] = -np.log10(values).astype(np.float32)
    return densities
