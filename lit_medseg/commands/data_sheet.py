"""A sheet of pictures: a few cases with the outlines of their masks."""

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from lit_medseg.commands.data_planes import Plane

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

PICTURES_A_ROW = 4
CELL_INCHES = 2.4
LEGEND_MOST = 20
LEGEND_COLUMNS = 6
LONGEST_NAME = 34
AIR_HU = -500.0
SOFT_TISSUE_HU = 40.0
HALF_WINDOW_HU = 200.0


def draw_sheet(
    path: Path, cases: Sequence[tuple[str, Sequence[Plane]]], names: Sequence[str], overlapping: bool
) -> None:
    """Draw cases, one row each (pictures: several in a row), and write them as PNG.

    Args:
        path: `.png`, overwritten.
        cases: Case id and planes; the ids are the only texts about the patient.
        names: The foreground classes, in the order of their codes.
        overlapping: Whether a mask's planes are classes, and not one plane of codes.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg  # noqa: PLC0415 only this verb draws
    from matplotlib.figure import Figure  # noqa: PLC0415

    cells = _cells(cases)
    columns = max(len(row) for row in cells)
    seen = _seen(cases, len(names), overlapping)
    height = CELL_INCHES * len(cells) + 0.5 + 0.2 * -(-min(len(seen), LEGEND_MOST) // LEGEND_COLUMNS)
    figure = Figure(figsize=(CELL_INCHES * columns, height), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(len(cells), columns, squeeze=False)
    colours = _colours(len(names))
    for row, line in zip(axes, cells, strict=True):
        for axis in row[len(line) :]:
            axis.set_visible(False)
        for axis, (title, plane) in zip(row, line, strict=False):
            _draw(axis, title, plane, colours, overlapping)
    _legend(figure, [names[number] for number in seen], colours[seen])
    path.parent.mkdir(parents=True, exist_ok=True)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")  # ids may be in any script
        figure.savefig(path, dpi=100)


def _seen(cases: Sequence[tuple[str, Sequence[Plane]]], number: int, overlapping: bool) -> list[int]:
    """Find the classes that are in any picture."""
    drawn = [plane.codes for _, planes in cases for plane in planes if plane.codes is not None]
    return [place for place in range(number) if any(_inside(codes, place, overlapping).any() for codes in drawn)]


def _inside(codes: NDArray[np.generic], number: int, overlapping: bool) -> NDArray[np.bool_]:
    """Give the pixels of a class."""
    return np.asarray(codes[number] > 0 if overlapping else codes[0] == number + 1)


def _cells(cases: Sequence[tuple[str, Sequence[Plane]]]) -> list[list[tuple[str, Plane]]]:
    """Arrange the planes: volumes one row a case, pictures several a row."""
    flat = [(_short(case_id), planes[0]) for case_id, planes in cases if len(planes) == 1]
    rows = [flat[start : start + PICTURES_A_ROW] for start in range(0, len(flat), PICTURES_A_ROW)]
    for case_id, planes in cases:
        if len(planes) > 1:
            first, *others = planes
            rows.append([(f"{_short(case_id)}\n{first.title}", first), *((plane.title, plane) for plane in others)])
    return rows


def _short(case_id: str) -> str:
    return case_id if len(case_id) <= LONGEST_NAME else f"...{case_id[-LONGEST_NAME:]}"


def _draw(axis: "Axes", title: str, plane: Plane, colours: NDArray[np.float64], overlapping: bool) -> None:
    """Draw one picture with its outlines."""
    if plane.image.ndim == 3:
        axis.imshow(_displayed(plane.image), aspect=plane.aspect)
    else:
        low, high = _window(plane)
        axis.imshow(plane.image.astype(np.float64), cmap="gray", vmin=low, vmax=high, aspect=plane.aspect)
    axis.set_xticks([])
    axis.set_yticks([])
    axis.spines[:].set_visible(False)
    axis.set_title(title, fontsize=7, parse_math=False)
    for text, x, y in ((plane.sides[0], 0.02, 0.5), (plane.sides[1], 0.5, 0.95)):
        axis.text(x, y, text, transform=axis.transAxes, color="yellow", fontsize=7, ha="left", va="center")
    if plane.codes is None:
        return
    for number, colour in enumerate(colours):
        inside = _inside(plane.codes, number, overlapping)
        if inside.any() and not inside.all():
            axis.contour(inside.astype(np.float64), levels=[0.5], colors=[tuple(colour)], linewidths=0.8)


def _window(plane: Plane) -> tuple[float, float]:
    """Choose what is black and white: nearly the whole range; where air is below -500 (CT), 400 HU around the mask."""
    image = plane.image.astype(np.float64)
    low, high = (float(number) for number in np.percentile(image, (0.5, 99.5)))
    if low < AIR_HU:
        inside = None if plane.codes is None else plane.codes.any(axis=0)
        middle = SOFT_TISSUE_HU if inside is None or not inside.any() else float(np.median(image[inside]))
        low, high = middle - HALF_WINDOW_HU, middle + HALF_WINDOW_HU
    return low, max(high, low + 1e-6)


def _displayed(image: NDArray[np.generic]) -> NDArray[Any]:
    """Bring colours into the range that can be shown."""
    if image.dtype == np.uint8:
        return image
    wide = image.astype(np.float64)
    low, high = wide.min(), wide.max()
    return np.asarray((wide - low) / max(high - low, 1e-6))


def _colours(number: int) -> NDArray[np.float64]:
    """Choose colours that differ from gray and from each other."""
    from matplotlib import colormaps  # noqa: PLC0415

    if number <= 8:
        return np.array(colormaps["Set1"](np.arange(number)))
    return np.array(colormaps["hsv"]((np.arange(number) * 0.618034) % 1.0))


def _legend(figure: "Figure", names: Sequence[str], colours: NDArray[np.float64]) -> None:
    from matplotlib.lines import Line2D  # noqa: PLC0415

    if not names:
        return
    lines = [Line2D([], [], color=tuple(colour), linewidth=2) for colour in colours[:LEGEND_MOST]]
    more = [f"{names[LEGEND_MOST - 1]} and {len(names) - LEGEND_MOST} more"] if len(names) > LEGEND_MOST else []
    labels = [*names[: LEGEND_MOST - len(more)], *more]
    figure.legend(
        lines, labels, loc="outside lower center", ncols=min(LEGEND_COLUMNS, len(labels)), fontsize=7, frameon=False
    )
