"""Images of any kind as 8-bit colour pictures of a size that can be looked at."""

import math
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from lit_medseg.imaging.volume import Volume

Picture = NDArray[np.uint8]
SMALLEST = 256
LARGEST = 768


def plane_of(volume: Volume) -> Picture:
    """Turn a plane into an RGB picture.

    Args:
        volume: `(C, H, W)`, any real dtype. Three channels are colours, otherwise the first is shown.

    Returns:
        `(H, W, 3)`. 8-bit images stay as they are; others are stretched from their 0.5th to their 99.5th percentile.
        A constant image is black.
    """
    array = volume.array
    array = array if array.shape[0] == 3 else np.repeat(array[:1], 3, axis=0)
    if array.dtype != np.uint8:
        values = np.nan_to_num(array.astype(np.float64))
        low, high = np.percentile(values, (0.5, 99.5))
        array = np.clip((values - low) / max(high - low, 1e-12) * 255.0, 0, 255).round().astype(np.uint8)
    return np.ascontiguousarray(np.moveaxis(array, 0, -1), dtype=np.uint8)


def zoom_of(height: int, width: int) -> float:
    """Choose the zoom: a whole number up to at least 256 pixels on the longer side, or down to 768."""
    longer = max(height, width)
    return float(math.ceil(SMALLEST / longer)) if longer < SMALLEST else min(1.0, LARGEST / longer)


def zoomed(picture: Picture, zoom: float, *, mask: bool) -> Picture:
    """Zoom a picture `(H, W[, 3])`; enlarged pixels stay squares, masks keep their values."""
    size = (max(1, round(picture.shape[1] * zoom)), max(1, round(picture.shape[0] * zoom)))
    way = cv2.INTER_NEAREST if mask or zoom >= 1 else cv2.INTER_AREA
    return np.asarray(cv2.resize(picture, size, interpolation=way), dtype=np.uint8)


def square_pixels(planes: NDArray[Any], spacing_mm: tuple[float, float], *, mask: bool) -> NDArray[Any]:
    """Stretch planes `(C, H, W)` along the axis of wider spacing, so that a pixel is as wide as it is high.

    Args:
        planes: Any real dtype; masks uint8.
        spacing_mm: Distance of rows and of columns.
        mask: Whether to repeat values instead of interpolating them.

    Returns:
        Float32, masks uint8; the planes themselves where the spacings agree within a twentieth.
    """
    finest = min(spacing_mm)
    ratios = [side / finest for side in spacing_mm]
    if max(ratios) < 1.05:
        return planes
    rows, columns = (max(1, round(side * ratio)) for side, ratio in zip(planes.shape[1:], ratios, strict=True))
    known = planes if mask else planes.astype(np.float32)
    way = cv2.INTER_NEAREST if mask else cv2.INTER_LINEAR
    return np.stack([cv2.resize(np.ascontiguousarray(plane), (columns, rows), interpolation=way) for plane in known])


def write_png(picture: Picture, path: "str") -> None:
    """Write an RGB picture; light compression, since it is read soon and seldom.

    Raises:
        OSError: It cannot be written.
    """
    if not cv2.imwrite(path, cv2.cvtColor(picture, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_PNG_COMPRESSION, 3]):
        raise OSError(f"{path}: picture cannot be written")
