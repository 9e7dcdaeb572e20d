"""Local contrast."""

from dataclasses import dataclass

import cv2
import numpy as np

from lit_medseg.errors import ConfigError, DataError
from lit_medseg.imaging.volume import Volume
from lit_medseg.preprocess.intensity_step import IntensityStep


@dataclass(frozen=True)
class Clahe(IntensityStep):
    """Contrast-limited adaptive histogram equalisation of each channel, for 8 and 16 bit pictures.

    Source: Zuiderveld 1994, "Contrast Limited Adaptive Histogram Equalization", Graphics Gems IV,
    doi:10.1016/B978-0-12-336156-1.50061-6.

    Attributes:
        clip_limit: How far a tile's histogram may rise above its mean.
        tiles: Tiles along each side.
    """

    clip_limit: float = 2.0
    tiles: int = 8

    def __post_init__(self) -> None:
        """Refuse values that mean nothing.

        Raises:
            ConfigError: A limit or number of tiles that is not positive.
        """
        if self.clip_limit <= 0 or self.tiles < 1:
            got = f"{self.clip_limit} and {self.tiles}"
            raise ConfigError(
                f"clahe: unusable clip_limit or tiles, expected positive numbers, got {got}. Correct them."
            )

    def change(self, image: Volume) -> Volume:
        """Equalise each channel.

        Raises:
            DataError: The image is no picture of 8 or 16 bits.
        """
        array = image.array
        if array.ndim != 3 or array.dtype not in (np.uint8, np.uint16):
            got = f"{array.ndim - 1} dimensions of {array.dtype}"
            raise DataError(
                f"clahe: unusable image, expected (C, H, W) uint8 or uint16, got {got}. Put EightBit before it."
            )
        equalise = cv2.createCLAHE(clipLimit=self.clip_limit, tileGridSize=(self.tiles, self.tiles)).apply
        return image.with_array(np.stack([equalise(np.ascontiguousarray(channel)) for channel in array]))
