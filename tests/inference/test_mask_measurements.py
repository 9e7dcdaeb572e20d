"""Volumes, diameters and intensities against all pairs of voxels and SimpleITK."""

import math

import numpy as np
import pytest
import SimpleITK
from scipy import ndimage
from scipy.spatial.distance import pdist

from lit_medseg.errors import DataError
from lit_medseg.inference.largest_diameter import largest_diameter_mm
from lit_medseg.inference.mask_measurements import mask_measurements
from lit_medseg.target import Binary, MultiClass, MultiLabel

SPACING = {2: (0.7, 1.9), 3: (3.0, 0.7, 1.1)}


def _brute(mask, spacing):
    points = np.argwhere(mask) * spacing
    return pdist(points).max() if len(points) > 1 else 0.0


@pytest.mark.parametrize("grid", [(14, 11), (9, 8, 10), (1, 9, 8), (6, 1, 9), (7, 8, 1), (1, 1, 9), (1, 9), (2, 2, 2)])
@pytest.mark.parametrize("seed", range(6))
def test_the_diameter_agrees_with_all_pairs(grid, seed):
    rng = np.random.default_rng(seed)
    spacing = SPACING[len(grid)]
    noise = ndimage.gaussian_filter(rng.standard_normal(grid), 1.2)
    for mask in (noise > 0, rng.random(grid) < 0.04, rng.random(grid) < 0.5):
        mask.flat[seed % mask.size] = True
        assert largest_diameter_mm(mask, spacing) == pytest.approx(_brute(mask, spacing), rel=1e-12)


@pytest.mark.parametrize(
    "points",
    [
        [(4, 4, 4)],
        [(0, 1, 2), (5, 6, 7)],
        [(0, 0, 0), (1, 1, 1), (2, 2, 2), (7, 7, 7)],
        [(0, 0, 0), (2, 1, 0), (4, 2, 0)],
        [(at, other, at + other) for at in range(5) for other in range(4)],
        [(at, other, 3) for at in range(5) for other in range(5)],
        [(at, at, other) for at in range(8) for other in range(8)],
        [(0, 0, 0), (0, 0, 7), (0, 7, 0), (7, 0, 0)],
    ],
)
def test_points_on_lines_and_planes(points):
    mask = np.zeros((9, 9, 9), dtype=bool)
    mask[tuple(np.transpose(points))] = True
    for spacing in [(1.0, 1.0, 1.0), (5.0, 0.4, 0.9)]:
        assert largest_diameter_mm(mask, spacing) == pytest.approx(_brute(mask, spacing), rel=1e-12)


def test_no_voxel_has_no_diameter():
    assert math.isnan(largest_diameter_mm(np.zeros((3, 3), dtype=bool), (1.0, 1.0)))


def test_a_large_ball():
    z, y, x = np.ogrid[-40:41, -60:61, -60:61]
    mask = (2 * z) ** 2 + y**2 + x**2 <= 60**2
    mask &= z < 30
    assert largest_diameter_mm(mask, (2.0, 1.0, 1.0)) == 120.0


@pytest.mark.parametrize("target", [MultiClass(("background", "organ", "lesion")), MultiLabel(("organ", "lesion"))])
@pytest.mark.parametrize("grid", [(10, 13, 12), (21, 19)])
def test_rows_agree_with_simpleitk(target, grid):
    rng = np.random.default_rng(0)
    noise = ndimage.gaussian_filter(rng.standard_normal(grid), 1.5)
    codes = np.digitize(noise / noise.std(), [0.5, 1.3])
    images = {"t1": rng.random(grid).astype(np.float32), "t2": rng.integers(-1000, 2000, grid).astype(np.int16)}
    planes = np.stack([codes == 1, codes == 2])
    given = planes.astype(np.uint8) if isinstance(target, MultiLabel) else codes
    rows = mask_measurements("case", given, target, SPACING[len(grid)], images)
    size = "volume_ml" if len(grid) == 3 else "area_mm2"
    names = ["case_id", "class", "voxels", "components", size, "largest_diameter_mm", "mean_t1", "mean_t2"]
    for row, name, plane in zip(rows, ("organ", "lesion"), planes, strict=True):
        assert list(row) == names
        assert (row["case_id"], row["class"], row["voxels"]) == ("case", name, plane.sum())
        image = SimpleITK.GetImageFromArray(plane.astype(np.uint8))
        image.SetSpacing(SPACING[len(grid)][::-1])
        parts = SimpleITK.RelabelComponent(SimpleITK.ConnectedComponent(image, True))
        shape = SimpleITK.LabelShapeStatisticsImageFilter()
        shape.Execute(parts)
        assert row["components"] == shape.GetNumberOfLabels()
        sizes = sum(shape.GetPhysicalSize(label) for label in shape.GetLabels())
        assert row[size] == pytest.approx(sizes / 1000 if len(grid) == 3 else sizes, rel=1e-9)
        largest = SimpleITK.GetArrayFromImage(parts) == 1
        assert row["largest_diameter_mm"] == pytest.approx(_brute(largest, SPACING[len(grid)]), rel=1e-12)
        for channel, intensities in images.items():
            assert row[f"mean_{channel}"] == pytest.approx(intensities[plane].mean(dtype=float), rel=1e-12)
        assert {type(value) for value in row.values()} == {str, int, float}


def test_an_absent_class_and_a_picture_without_spacing():
    target = MultiClass(("background", "organ", "lesion"))
    codes = np.zeros((4, 5, 6), dtype=np.uint8)
    codes[1, 2, 3] = 2
    organ, lesion = mask_measurements("a", codes, target, (1.0, 2.0, 5.0), {"ct": codes})
    assert (organ["voxels"], organ["components"], organ["volume_ml"]) == (0, 0, 0.0)
    assert math.isnan(organ["largest_diameter_mm"])
    assert math.isnan(organ["mean_ct"])
    assert list(lesion.values())[2:] == [1, 1, 0.01, 0.0, 2.0]
    (row,) = mask_measurements("a", codes[1] // 2, Binary(("background", "cell")), None, {})
    assert row == {"case_id": "a", "class": "cell", "voxels": 1, "components": 1}


def test_a_channel_on_another_grid_is_refused():
    codes = np.zeros((4, 5), dtype=np.uint8)
    text = r"case a, channel t2: not on the mask's grid, expected \(4, 5\), got \(4, 4\)"
    with pytest.raises(DataError, match=text):
        mask_measurements("a", codes, Binary(("background", "cell")), None, {"t2": codes[:, 1:]})
