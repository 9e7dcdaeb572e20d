"""Local contrast."""

from dataclasses import dataclass

import cv2
import numpy as np

from lit_medseg.errors import ConfigError, DataError
from lit_medseg.imaging.volume import Volume
from lit_medseg.preprocess.intensity_step import IntensityStep


@dataclass(frozen=True)
class Clahe(IntensityStep):
    """Contrast-limited adaptive histogram equalisation of each channel, for 8 and 16 bit pictures and volumes.

    A volume is equalised slice by slice (d), in its rows and columns: slices are what is looked at, and neighbouring
    ones differ little, so their mappings do too.

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
        """Equalise each slice of each channel.

        Raises:
            DataError: The image has neither 8 nor 16 bits.
        """
        array = image.array
        if array.dtype not in (np.uint8, np.uint16):
            raise DataError(
                f"clahe: unusable image, expected uint8 or uint16, got {array.dtype}. Put EightBit before it."
            )
        equalise = cv2.createCLAHE(clipLimit=self.clip_limit, tileGridSize=(self.tiles, self.tiles)).apply
        slices = array.reshape(-1, *array.shape[-2:])
        equal = np.stack([equalise(np.ascontiguousarray(one)) for one in slices])
        return image.with_array(equal.reshape(array.shape))
