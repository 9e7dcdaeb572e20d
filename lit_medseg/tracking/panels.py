"""Image, reference and prediction side by side."""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from lit_medseg.imaging.volume import Volume
from lit_medseg.tracking.palette import class_colour
from lit_medseg.tracking.picture import Picture, plane_of, zoom_of, zoomed

Planes = NDArray[np.bool_]
_GAP, _BAR, _LEAST_WIDTH = 6, 24, 480
_TEXT = (235, 235, 235)


@dataclass(frozen=True)
class Segmented:
    """One case to draw.

    Attributes:
        title: Shown above, usually case id and Dice.
        image: `(C, *S)` on the native grid.
        reference: `(K, *S)`, one plane per scored class.
        prediction: Like the reference.
        names: The K class names.
    """

    title: str
    image: Volume
    reference: Planes
    prediction: Planes
    names: Sequence[str]


def draw_panels(case: Segmented) -> Picture:
    """Draw three panels: the image, the image with the reference's contours, and with the prediction's.

    Args:
        case: The case; of a volume the middle one of the slices that the reference touches is drawn.

    Returns:
        `(H, W, 3)` RGB, with a title above and the classes' colours below.
    """
    index = _middle(case.reference)
    image = plane_of(case.image, index)
    zoom = zoom_of(*image.shape[:2])
    picture = zoomed(image, zoom, mask=False)
    panels = [picture]
    for planes in (case.reference, case.prediction):
        flat = planes if index is None else planes[:, index]
        panels.append(_with_contours(picture, flat, zoom))
    height, width = picture.shape[:2]
    left = max(0, (_LEAST_WIDTH - 3 * width - 2 * _GAP) // 2)
    total = 3 * width + 2 * _GAP + 2 * left
    canvas = np.zeros((height + 3 * _BAR, total, 3), np.uint8)
    for column, panel in enumerate(panels):
        start = left + column * (width + _GAP)
        canvas[2 * _BAR : 2 * _BAR + height, start : start + width] = panel
    return _with_texts(canvas, case, left, width)


def _middle(reference: Planes) -> int | None:
    if reference.ndim == 3:
        return None
    touched = np.flatnonzero(reference.any(axis=(0, 2, 3)))
    return int(touched[len(touched) // 2]) if len(touched) else reference.shape[1] // 2


def _with_contours(picture: Picture, planes: Planes, zoom: float) -> Picture:
    drawn = picture.copy()
    for index, plane in enumerate(planes):
        large = zoomed(plane.astype(np.uint8), zoom, mask=True)
        outlines, _ = cv2.findContours(large, cv2.RETR_LIST, cv2.CHAIN_APPROX_NONE)
        cv2.drawContours(drawn, outlines, -1, class_colour(index), 2 if min(picture.shape[:2]) >= 200 else 1)
    return drawn


def _with_texts(canvas: Picture, case: Segmented, left: int, width: int) -> Picture:
    image = Image.fromarray(canvas)
    draw, font = ImageDraw.Draw(image), ImageFont.load_default(size=15)
    draw.text((8, 4), fitted(draw, case.title, font, canvas.shape[1] - 16), _TEXT, font)
    for column, name in enumerate(("image", "reference", "prediction")):
        x = left + column * (width + _GAP)
        draw.text((x + 4, _BAR + 4), fitted(draw, name, font, width - 4), (160, 160, 160), font)
    at = 8.0
    for index, name in enumerate(case.names):
        draw.rectangle((at, canvas.shape[0] - 17, at + 11, canvas.shape[0] - 6), class_colour(index))
        text = fitted(draw, name, font, max(0, canvas.shape[1] - at - 20))
        draw.text((at + 17, canvas.shape[0] - 20), text, _TEXT, font)
        at += 17 + draw.textlength(text, font) + 16
    return np.asarray(image)


def fitted(
    draw: ImageDraw.ImageDraw, text: str, font: ImageFont.FreeTypeFont | ImageFont.ImageFont, room: float
) -> str:
    """Shorten a text in its middle until it fits into a number of pixels; empty where nothing fits."""
    if draw.textlength(text, font) <= room:
        return text
    for keep in range(len(text) - 1, 0, -1):
        short = f"{text[: (keep + 1) // 2]}...{text[len(text) - keep // 2 :]}"
        if draw.textlength(short, font) <= room:
            return short
    return ""
