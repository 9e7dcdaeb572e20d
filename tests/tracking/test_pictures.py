import numpy as np
import pandas as pd
import pytest

from lit_medseg.imaging.volume import Volume, flat_volume
from lit_medseg.metrics.evaluation import Evaluation
from lit_medseg.target import Binary, MultiClass, MultiLabel
from lit_medseg.tracking.case_source import spread
from lit_medseg.tracking.curves import evaluation_figures
from lit_medseg.tracking.file_name import file_name
from lit_medseg.tracking.panels import Segmented, draw_panels
from lit_medseg.tracking.picture import plane_of, zoom_of
from lit_medseg.tracking.sheet import draw_sheet
from lit_medseg.tracking.wrong_cases import surest_mistakes

CLASSES = ("background", "a", "b")


def test_eight_bit_colours_stay_and_others_are_stretched():
    colours = np.arange(2 * 2 * 3, dtype=np.uint8).reshape(3, 2, 2)
    assert (plane_of(flat_volume(colours)) == np.moveaxis(colours, 0, -1)).all()
    wide = plane_of(flat_volume(np.linspace(-1000, 3000, 10_000, dtype=np.float32).reshape(1, 100, 100)))
    assert (wide.min(), wide.max(), wide.shape) == (0, 255, (100, 100, 3))
    assert plane_of(flat_volume(np.full((1, 2, 2), 7.0))).max() == 0
    assert plane_of(flat_volume(np.full((1, 2, 2), np.nan))).max() == 0


@pytest.mark.parametrize(("side", "shown"), [(28, 280), (100, 300), (256, 256), (700, 700), (3000, 768)])
def test_small_images_grow_and_large_ones_shrink(side, shown):
    assert side * zoom_of(side // 2, side) == pytest.approx(shown)


@pytest.mark.parametrize("grid", [(10, 20), (600, 40), (40, 2000), (5, 30, 30)])
def test_any_shape_can_be_drawn(grid):
    planes = np.zeros((2, *grid), dtype=np.uint8)
    volume = Volume(np.zeros((2, *grid), np.uint16), (1.0,) * len(grid))
    picture = draw_panels(Segmented("case " * 50, volume, planes, 1 - planes, MultiLabel(("a", "b" * 80))))
    assert picture.dtype == np.uint8
    assert picture.shape[2] == 3
    assert picture.shape[1] >= 480


def test_a_volume_shows_the_slice_with_most_reference():
    image = np.zeros((1, 9, 300, 300), np.uint8)
    image[0, 6] = 200
    reference = np.zeros((9, 300, 300), dtype=np.uint8)
    reference[2:7, 10:20, 10:20] = 1
    reference[6, 20:30] = 2
    drawn = draw_panels(Segmented("a", Volume(image, (1.0, 1.0, 1.0)), reference, reference, MultiClass(CLASSES)))
    assert (drawn[200, 150] == 200).all()


def test_codes_and_planes_are_drawn_alike():
    rng = np.random.default_rng(0)
    codes = rng.integers(0, 3, (4, 20, 30)).astype(np.int16)
    codes[2] = np.maximum(codes[2], 1)
    volume = Volume(rng.integers(0, 255, (1, 4, 20, 30)).astype(np.uint8), (5.0, 1.0, 2.0))
    planes = np.stack([codes == 1, codes == 2]).astype(np.uint8)
    exclusive = draw_panels(Segmented("a", volume, codes, codes, MultiClass(CLASSES)))
    overlapping = draw_panels(Segmented("a", volume, planes, planes, MultiLabel(CLASSES[1:])))
    np.testing.assert_array_equal(exclusive, overlapping)


def test_every_class_stands_below_in_as_many_rows_as_it_takes():
    image, codes = flat_volume(np.zeros((1, 64, 64), np.uint8)), np.zeros((64, 64), np.uint8)
    heights = [
        draw_panels(
            Segmented("a", image, codes, codes, MultiClass(("background", *map("organ {}".format, range(count)))))
        )
        for count in (2, 40)
    ]
    rows = (heights[1].shape[0] - heights[0].shape[0]) // 24
    assert rows > 2
    below = heights[1][-24 * (rows + 1) :]
    assert all(below[24 * row : 24 * row + 24].any() for row in range(rows + 1))


def test_sheet_has_a_cell_per_image():
    images = [flat_volume(np.full((1, 28, 28), 10 * index, np.uint8)) for index in range(6)]
    sheet = draw_sheet(images, [("id", "is a", "taken for b (0.99)")] * 6)
    assert sheet.shape == (2 * 322, 4 * 264, 3)
    assert draw_sheet([], []).max() == 0


def test_file_names_are_safe_and_differ():
    names = ["a/b", "a:b", "a b", "..", "", "ok-1.x", "ü" * 300]
    made = [file_name(name) for name in names]
    assert len(set(made)) == len(names)
    assert made[5] == "ok-1.x"
    assert all(name and not name.startswith(".") and "/" not in name and len(name) <= 100 for name in made)


def test_spread_takes_first_and_last():
    ids = tuple("abcdefghij")
    assert spread(ids, 4) == ["a", "d", "g", "j"]
    assert spread(ids, 1) == ["a"]
    assert spread(ids, 20) == list(ids)
    assert spread((), 3) == []


ROWS = pd.DataFrame({
    "case_id": ["a", "b", "c", "d"],
    "label": ["x", "x", "y", "y"],
    "prediction": ["x", "y", "x", "y"],
    "p_x": [0.9, 0.4, 0.99, 0.2],
    "p_y": [0.1, 0.6, 0.01, 0.8],
})  # fmt: skip


def test_surest_mistakes_come_first():
    wrong = surest_mistakes(ROWS, 5)
    assert list(wrong["case_id"]) == ["c", "b"]
    assert list(wrong["certainty"]) == [0.99, 0.6]
    assert surest_mistakes(pd.DataFrame({"case_id": ["a"], "dice": [1.0]}), 5).empty


def _figures(rows, target):
    return sorted(evaluation_figures(Evaluation("test", rows, {"auroc": 0.75}, target)))


def test_figures_fit_the_task():
    three = ["confusion", "precision_recall", "roc"]
    assert _figures(ROWS, Binary(("x", "y"))) == three
    assert _figures(ROWS.assign(p_z=0.0), MultiClass(("x", "y", "z"))) == three
    joint = ROWS.assign(y_x=[1, 1, 0, 0], y_y=[0, 0, 1, 1])
    found = _figures(joint, MultiLabel(("x", "y")))
    assert found == ["confusion_x", "confusion_y", "precision_recall", "roc"]
    dice = pd.DataFrame({"case_id": ["a", "a"], "class": ["l", "m"], "dice": [0.5, np.nan]})
    assert _figures(dice, MultiClass(("background", "l", "m"))) == ["dice"]
    assert _figures(pd.DataFrame(), Binary(("x", "y"))) == []
