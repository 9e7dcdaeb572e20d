"""Many small pictures with a caption each, on one sheet."""

from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from lit_medseg.imaging.volume import Volume, flat_volume
from lit_medseg.tracking.display_plane import display_plane
from lit_medseg.tracking.panels import fitted
from lit_medseg.tracking.picture import Picture, plane_of, square_pixels

_CELL, _CAPTION, _COLUMNS = 256, 66, 4


def draw_sheet(images: Sequence[Volume], captions: Sequence[tuple[str, str, str]]) -> Picture:
    """Draw images in rows of four.

    Args:
        images: `(C, *S)`; of a volume the middle slice is drawn.
        captions: Three lines per image.

    Returns:
        `(H, W, 3)` RGB; one black cell where there are no images.
    """
    columns = min(_COLUMNS, max(1, len(images)))
    rows = max(1, -(-len(images) // columns))
    sheet = Image.new("RGB", (columns * (_CELL + 8), rows * (_CELL + _CAPTION)))
    draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(size=15)
    for number, (volume, lines) in enumerate(zip(images, captions, strict=True)):
        x, y = number % columns * (_CELL + 8) + 4, number // columns * (_CELL + _CAPTION) + 4
        sheet.paste(_cell(volume), (x, y))
        for line, text in enumerate(lines):
            draw.text((x + 2, y + _CELL + 2 + 19 * line), fitted(draw, text, font, _CELL - 4), (235, 235, 235), font)
    return np.asarray(sheet)


def _cell(volume: Volume) -> Image.Image:
    """Fit a picture into a square cell, its proportions kept."""
    picture = Image.fromarray(plane_of(_middle(volume)))
    zoom = _CELL / max(picture.size)
    size = (max(1, round(picture.width * zoom)), max(1, round(picture.height * zoom)))
    picture = picture.resize(size, Image.Resampling.NEAREST if zoom > 1 else Image.Resampling.BOX)
    cell = Image.new("RGB", (_CELL, _CELL))
    cell.paste(picture, ((_CELL - picture.width) // 2, (_CELL - picture.height) // 2))
    return cell


def _middle(volume: Volume) -> Volume:
    """Cut the middle slice out of a volume; a picture stays."""
    if len(volume.grid) == 2:
        return volume
    plane = display_plane(volume)
    cut = plane.cut(volume.array, volume.grid[plane.axis] // 2)
    return flat_volume(square_pixels(cut, plane.spacing_mm, mask=False))
