"""Image, reference and prediction side by side."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from lit_medseg.imaging.volume import Volume, flat_volume
from lit_medseg.target import MultiLabel, Target
from lit_medseg.tracking.display_plane import display_plane
from lit_medseg.tracking.palette import class_colour
from lit_medseg.tracking.picture import Picture, plane_of, square_pixels, zoom_of, zoomed

Codes = NDArray[np.integer]
Planes = NDArray[np.bool_]
_GAP, _BAR, _LEAST_WIDTH = 6, 24, 480
_TEXT = (235, 235, 235)
_FONT = ImageFont.load_default(size=15)


@dataclass(frozen=True)
class Segmented:
    """One case to draw.

    Attributes:
        title: Shown above, usually case id and Dice.
        image: `(C, *S)` on the native grid.
        reference: Codes `(*S)`, overlapping classes `(K, *S)` of 0 and 1.
        prediction: Like the reference.
        target: How the codes are meant.
    """

    title: str
    image: Volume
    reference: Codes
    prediction: Codes
    target: Target


def draw_panels(case: Segmented) -> Picture:
    """Draw three panels: the image, the image with the reference's contours, and with the prediction's.

    Args:
        case: The case; of a volume, the slice with most reference in it is drawn (without any, most prediction; else
            the middle one), turned as radiology hangs it: see `display_plane`.

    Returns:
        `(H, W, 3)` RGB, with a title above and the classes' colours below.
    """
    case, spacing_mm = _flat(case)
    image = plane_of(case.image)
    zoom = zoom_of(*image.shape[:2])
    picture = zoomed(image, zoom, mask=False)
    both = [_class_planes(codes, case.target, spacing_mm) for codes in (case.reference, case.prediction)]
    outlined = [_with_contours(picture, planes, zoom) for planes in both]
    panels = [picture, *outlined]
    height, width = picture.shape[:2]
    left = max(0, (_LEAST_WIDTH - 3 * width - 2 * _GAP) // 2)
    total = 3 * width + 2 * _GAP + 2 * left
    legend = _legend(case.target.foreground, total)
    canvas = np.zeros((height + (2 + len(legend)) * _BAR, total, 3), np.uint8)
    for column, panel in enumerate(panels):
        start = left + column * (width + _GAP)
        canvas[2 * _BAR : 2 * _BAR + height, start : start + width] = panel
    return _with_texts(canvas, case.title, legend, left, width)


def _flat(case: Segmented) -> tuple[Segmented, tuple[float, float]]:
    """Cut the slice to show out of a volume, its image with square pixels; pictures stay.

    Returns:
        The flat case, and the spacing of its codes.
    """
    if len(case.image.grid) == 2:
        return case, (1.0, 1.0)
    plane = display_plane(case.image)
    index = _fullest(case, plane.axis)
    image = square_pixels(plane.cut(case.image.array, index), plane.spacing_mm, mask=False)
    flat = replace(
        case,
        title=f"{case.title}   slice {index + 1} of {case.image.grid[plane.axis]}",
        image=flat_volume(image),
        reference=plane.cut(case.reference, index),
        prediction=plane.cut(case.prediction, index),
    )
    return flat, plane.spacing_mm


def _fullest(case: Segmented, axis: int) -> int:
    """Choose the slice with most of the reference, else of the prediction, else the middle one."""
    first = 1 if isinstance(case.target, MultiLabel) else len(case.target.names) - len(case.target.foreground)
    for codes in (case.reference, case.prediction):
        others = tuple(other for other in range(codes.ndim) if other != codes.ndim - 3 + axis)
        touched = (codes >= first).sum(axis=others)
        if touched.any():
            return int(touched.argmax())
    return case.image.grid[axis] // 2


def _class_planes(codes: Codes, target: Target, spacing_mm: tuple[float, float]) -> Planes:
    """Give one plane `(K, H, W)` a scored class, with square pixels; made of the slice alone, for memory's sake."""
    count = len(target.names)
    first = count - len(target.foreground)
    planes = codes != 0 if isinstance(target, MultiLabel) else np.stack([codes == code for code in range(first, count)])
    square: Planes = square_pixels(planes.astype(np.uint8), spacing_mm, mask=True) > 0
    return square


def _with_contours(picture: Picture, planes: Planes, zoom: float) -> Picture:
    drawn = picture.copy()
    for index, plane in enumerate(planes):
        large = zoomed(plane.astype(np.uint8), zoom, mask=True)
        outlines, _ = cv2.findContours(large, cv2.RETR_LIST, cv2.CHAIN_APPROX_NONE)
        cv2.drawContours(drawn, outlines, -1, class_colour(index), 2 if min(picture.shape[:2]) >= 200 else 1)
    return drawn


def _legend(names: Sequence[str], room: float) -> list[list[tuple[int, str, float]]]:
    """Lay the classes out in rows: the number, the text and the left edge of each."""
    draw = ImageDraw.Draw(Image.new("RGB", (1, 1)))
    rows: list[list[tuple[int, str, float]]] = [[]]
    at = 8.0
    for index, name in enumerate(names):
        text = fitted(draw, name, _FONT, room - 28)
        length = 33 + draw.textlength(text, _FONT)
        if rows[-1] and at + length - 16 > room:
            rows.append([])
            at = 8.0
        rows[-1].append((index, text, at))
        at += length
    return rows


def _with_texts(
    canvas: Picture, title: str, legend: Sequence[Sequence[tuple[int, str, float]]], left: int, width: int
) -> Picture:
    image = Image.fromarray(canvas)
    draw = ImageDraw.Draw(image)
    draw.text((8, 4), fitted(draw, title, _FONT, canvas.shape[1] - 16), _TEXT, _FONT)
    for column, name in enumerate(("image", "reference", "prediction")):
        x = left + column * (width + _GAP)
        draw.text((x + 4, _BAR + 4), fitted(draw, name, _FONT, width - 4), (160, 160, 160), _FONT)
    top = canvas.shape[0] - len(legend) * _BAR
    for row, classes in enumerate(legend):
        for index, text, at in classes:
            y = top + row * _BAR
            draw.rectangle((at, y + 7, at + 11, y + 18), class_colour(index))
            draw.text((at + 17, y + 4), text, _TEXT, _FONT)
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
