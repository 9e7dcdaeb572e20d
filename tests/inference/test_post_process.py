"""Post-processing against SimpleITK, SciPy and loops from the definition; its rules for classes."""

import itertools
import json
import re

import numpy as np
import pytest
import SimpleITK
from jsonargparse import ArgumentError, ArgumentParser
from scipy import ndimage
from scipy.spatial.distance import cdist

from lit_medseg.errors import CheckpointError, ConfigError
from lit_medseg.inference.post_process.apply import post_processed
from lit_medseg.inference.post_process.closing import Closing
from lit_medseg.inference.post_process.fill_holes import FillHoles
from lit_medseg.inference.post_process.largest_component import LargestComponent
from lit_medseg.inference.post_process.opening import Opening
from lit_medseg.inference.post_process.plain import post_process_from_plain, post_process_to_plain
from lit_medseg.inference.post_process.post_process import PostProcess
from lit_medseg.inference.post_process.remove_small import RemoveSmall
from lit_medseg.target import Binary, MultiClass, MultiLabel

BINARY = Binary(("background", "organ"))
EXCLUSIVE = MultiClass(("background", "liver", "tumour", "vessel"))
OVERLAPPING = MultiLabel(("liver", "tumour", "vessel"))
STEPS = [
    LargestComponent(),
    LargestComponent(keep=3),
    RemoveSmall(minimum_voxels=5),
    RemoveSmall(minimum_mm3=7.0),
    FillHoles(),
    FillHoles(slicewise=True),
    Opening(1.6),
    Closing(1.6),
]
GRIDS = [((25, 21), (0.9, 1.3)), ((9, 14, 12), (2.0, 0.7, 1.0)), ((1, 12, 12), (3.0, 1.0, 1.0))]


def _mask(grid, seed, threshold=0.2):
    noise = ndimage.gaussian_filter(np.random.default_rng(seed).standard_normal(grid), 0.8)
    return noise / noise.std() > threshold


def _run(step, mask, spacing):
    return post_processed(mask.astype(np.uint8), BINARY, spacing, [step]) == 1


def _components(mask):
    image = SimpleITK.ConnectedComponent(SimpleITK.GetImageFromArray(mask.astype(np.uint8)), True)
    return SimpleITK.GetArrayFromImage(SimpleITK.RelabelComponent(image, sortByObjectSize=True))


@pytest.mark.parametrize(("grid", "spacing"), GRIDS)
@pytest.mark.parametrize("seed", range(4))
def test_components_agree_with_simpleitk(grid, spacing, seed):
    mask = _mask(grid, seed, 1.0)
    labels = _components(mask)
    sizes = np.bincount(labels.ravel())[1:]
    for keep in (1, 2, 3):
        found = _run(LargestComponent(keep=keep), mask, spacing)
        assert found.sum() == sizes[:keep].sum()
        assert {*np.unique(_components(found))} <= {*range(keep + 1)}
        if len(set(sizes)) == len(sizes):
            np.testing.assert_array_equal(found, mask & (labels <= keep))
    for voxels in (2, 4, 9):
        np.testing.assert_array_equal(
            _run(RemoveSmall(minimum_voxels=voxels), mask, spacing),
            np.isin(labels, 1 + np.flatnonzero(sizes >= voxels)),
        )
    size_mm3 = 4 * np.prod(spacing)
    np.testing.assert_array_equal(
        _run(RemoveSmall(minimum_mm3=size_mm3), mask, spacing), _run(RemoveSmall(minimum_voxels=4), mask, spacing)
    )
    np.testing.assert_array_equal(
        _run(RemoveSmall(minimum_mm3=size_mm3 * 1.01), mask, spacing),
        _run(RemoveSmall(minimum_voxels=5), mask, spacing),
    )


@pytest.mark.parametrize(("grid", "spacing"), GRIDS)
@pytest.mark.parametrize("seed", range(4))
def test_holes_agree_with_scipy_and_simpleitk(grid, spacing, seed):
    mask = _mask(grid, seed, -1.2)
    found = _run(FillHoles(), mask, spacing)
    np.testing.assert_array_equal(found, ndimage.binary_fill_holes(mask))
    itk = SimpleITK.GetArrayFromImage(
        SimpleITK.BinaryFillhole(SimpleITK.GetImageFromArray(mask.astype(np.uint8)), False, 1)
    )
    if 1 not in grid:  # ITK finds nothing outside of a single slice
        np.testing.assert_array_equal(found, itk == 1)
    if len(grid) == 3:
        slices = np.stack([ndimage.binary_fill_holes(one) for one in mask])
        np.testing.assert_array_equal(_run(FillHoles(slicewise=True), mask, spacing), slices)


def _ball(radius, spacing):
    reach = [range(-int(radius / step + 1), int(radius / step + 1) + 1) for step in spacing]
    inside = [
        sum((a * b) ** 2 for a, b in zip(at, spacing, strict=True)) <= radius**2 for at in itertools.product(*reach)
    ]
    return np.reshape(inside, [len(axis) for axis in reach])


@pytest.mark.parametrize(("grid", "spacing"), GRIDS)
@pytest.mark.parametrize("radius", [0.5, 1.0, 2.1, 4.0])
@pytest.mark.parametrize("seed", range(2))
def test_morphology_agrees_with_scipy(grid, spacing, radius, seed):
    ball = _ball(radius, spacing)
    blob = ndimage.binary_dilation(_mask(grid, seed, 1.8), _ball(1.5, spacing))
    for mask in (blob, _mask(grid, seed)):
        eroded = ndimage.binary_erosion(mask, ball, border_value=1)
        np.testing.assert_array_equal(_run(Opening(radius), mask, spacing), ndimage.binary_dilation(eroded, ball))
        dilated = ndimage.binary_dilation(mask, ball)
        closed = ndimage.binary_erosion(dilated, ball, border_value=1)
        np.testing.assert_array_equal(_run(Closing(radius), mask, spacing), closed)


@pytest.mark.parametrize("step", STEPS, ids=repr)
@pytest.mark.parametrize("target", [BINARY, EXCLUSIVE, OVERLAPPING], ids=lambda target: type(target).__name__)
@pytest.mark.parametrize("together", [False, True])
def test_every_step_keeps_its_promises(step, target, together):
    step = type(step)(**{**vars(step), "together": together})
    for (grid, spacing), seed in itertools.product(GRIDS, range(2)):
        codes = _codes(target, grid, seed)
        before = codes.copy()
        found = post_processed(codes, target, spacing, [step])
        np.testing.assert_array_equal(codes, before)
        assert (found.shape, found.dtype) == (codes.shape, codes.dtype)
        np.testing.assert_array_equal(post_processed(found, target, spacing, [step]), found)
        grows = isinstance(step, FillHoles | Closing)
        old, new = codes > 0, found > 0
        assert (old <= new).all() if grows else (new <= old).all()
        same = old & new
        np.testing.assert_array_equal(found[same], codes[same])
        empty = np.zeros_like(codes)
        np.testing.assert_array_equal(post_processed(empty, target, spacing, [step]), empty)
        full = np.ones_like(codes)
        np.testing.assert_array_equal(post_processed(full, target, None, [step]), full)


def _codes(target, grid, seed):
    if isinstance(target, MultiLabel):
        return np.stack([_mask(grid, seed + 7 * index, 0.8) for index in range(3)]).astype(np.int64)
    codes = np.zeros(grid, dtype=np.int64)
    for code in range(1, len(target.names)):
        codes[_mask(grid, seed + 7 * code, 0.8)] = code
    return codes


def test_a_hole_is_filled_and_what_is_in_it_stays():
    codes = np.zeros((7, 7), dtype=np.uint8)
    codes[1:6, 1:6] = 1
    codes[2:5, 2:5] = [[0, 0, 0], [0, 2, 0], [0, 0, 0]]
    expected = codes.copy()
    expected[2:5, 2:5] = [[1, 1, 1], [1, 2, 1], [1, 1, 1]]
    np.testing.assert_array_equal(post_processed(codes, EXCLUSIVE, None, [FillHoles()]), expected)
    np.testing.assert_array_equal(post_processed(codes, EXCLUSIVE, None, [FillHoles(classes=("liver",))]), expected)
    np.testing.assert_array_equal(post_processed(codes, EXCLUSIVE, None, [FillHoles(classes=("tumour",))]), codes)


def test_classes_together_are_one_mask_and_alone_they_are_not():
    codes = np.zeros((3, 12), dtype=np.uint8)
    codes[1] = [1, 1, 0, 2, 1, 1, 1, 0, 0, 2, 0, 3]
    alone = post_processed(codes, EXCLUSIVE, None, [LargestComponent()])
    assert alone[1].tolist() == [0, 0, 0, 2, 1, 1, 1, 0, 0, 0, 0, 3]
    joint = post_processed(codes, EXCLUSIVE, None, [LargestComponent(together=True)])
    assert joint[1].tolist() == [0, 0, 0, 2, 1, 1, 1, 0, 0, 0, 0, 0]
    two = post_processed(codes, EXCLUSIVE, None, [LargestComponent(classes=("liver", "vessel"), together=True)])
    assert two[1].tolist() == [0, 0, 0, 2, 1, 1, 1, 0, 0, 2, 0, 0]


def test_what_is_added_to_classes_together_goes_to_the_nearest():
    codes = np.array([[1, 1, 1, 3, 3, 3], [1, 0, 0, 0, 0, 3], [1, 1, 1, 3, 3, 3]], dtype=np.uint8)
    codes[1, 2:4] = 0
    found = post_processed(codes, EXCLUSIVE, (1.0, 1.0), [FillHoles(together=True)])
    assert found[1].tolist() == [1, 1, 1, 3, 3, 3]
    planes = np.stack([codes == 1, codes == 2, codes == 3]).astype(np.uint8)
    found = post_processed(planes, OVERLAPPING, (1.0, 1.0), [FillHoles(together=True)])
    assert found[:, 1].tolist() == [[1, 1, 1, 0, 0, 0], [0] * 6, [0, 0, 0, 1, 1, 1]]


@pytest.mark.parametrize("seed", range(3))
def test_the_nearest_class_agrees_with_all_distances(seed):
    spacing = (2.0, 0.6, 1.0)
    codes = _codes(EXCLUSIVE, (8, 13, 11), seed)
    found = post_processed(codes, EXCLUSIVE, spacing, [Closing(2.5, together=True)])
    added = np.argwhere((codes == 0) & (found > 0))
    assert len(added)
    known = np.argwhere(codes > 0)
    apart = cdist(added * spacing, known * spacing)
    for voxel, distances in zip(added, apart, strict=True):
        nearest = known[distances <= distances.min() + 1e-9]
        assert found[tuple(voxel)] in codes[tuple(nearest.T)]


def test_overlapping_planes_do_not_touch_each_other():
    planes = np.zeros((3, 5, 9), dtype=np.uint8)
    planes[0, 1:4, 0:5] = planes[1, 2, 2] = planes[1, 2, 6:9] = 1
    planes[0, 2, 2] = 0
    found = post_processed(
        planes, OVERLAPPING, None, [FillHoles(classes=("liver",)), LargestComponent(classes=("tumour",))]
    )
    assert found[0, 2, 2] == 1
    assert found[1].sum() == 3
    joint = post_processed(planes, OVERLAPPING, None, [LargestComponent(together=True)])
    assert joint[1].tolist() == np.pad([[1]], ((2, 2), (2, 6))).tolist()


def test_steps_run_one_after_the_other():
    codes = np.zeros((9, 9), dtype=np.uint8)
    codes[2:7, 2:7] = 1
    codes[4, 4] = codes[0, 0] = 1 - codes[4, 4]
    codes[0, 0] = 1
    found = post_processed(codes, BINARY, (1.0, 1.0), [LargestComponent(), FillHoles()])
    assert found.sum() == 25
    np.testing.assert_array_equal(post_processed(codes, BINARY, None, []), codes)


def test_equal_parts_leave_the_first():
    codes = np.zeros((5, 5), dtype=np.uint8)
    codes[0, 3:] = codes[4, :2] = 1
    assert post_processed(codes, BINARY, None, [LargestComponent()])[0].sum() == 2


def test_a_structure_at_the_border_is_not_rounded_there():
    codes = np.zeros((12, 12), dtype=np.uint8)
    codes[:, :6] = 1
    np.testing.assert_array_equal(post_processed(codes, BINARY, (1.0, 1.0), [Opening(2.0)]), codes)


@pytest.mark.parametrize("step", STEPS, ids=repr)
def test_plain_data_and_back(step):
    named = type(step)(**{**vars(step), "classes": ("liver", "tumour")})
    assert post_process_from_plain(json.loads(json.dumps(post_process_to_plain(named)))) == named
    assert isinstance(named, PostProcess)


@pytest.mark.parametrize(
    ("plain", "text"),
    [
        ({"class_path": "nowhere.Step", "init_args": {}}, "nowhere.Step: cannot be imported"),
        ({"class_path": "pathlib.Path", "init_args": {}}, "pathlib.Path: no post-processing"),
        (
            {"class_path": "lit_medseg.inference.post_process.fill_holes.FillHoles", "init_args": {"size": 1}},
            "does not take these values",
        ),
    ],
)
def test_damaged_plain_data_is_refused(plain, text):
    with pytest.raises(CheckpointError, match=text):
        post_process_from_plain(plain)


def test_classes_that_there_are_not():
    codes = np.zeros((3, 3), dtype=np.uint8)
    text = "post-processing FillHoles: unknown class, expected some of ['organ'], got ['spleen']"
    with pytest.raises(ConfigError, match=re.escape(text)):
        post_processed(codes, BINARY, None, [FillHoles(classes=("spleen",))])
    with pytest.raises(ConfigError, match="no class for what is removed"):
        post_processed(codes, MultiClass(("grey", "white")), None, [LargestComponent()])


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda: LargestComponent(keep=0), "LargestComponent.keep: not a count"),
        (RemoveSmall, "RemoveSmall: removes nothing"),
        (lambda: RemoveSmall(minimum_mm3=float("nan")), "RemoveSmall: removes nothing"),
        (lambda: Opening(0.0), "Opening.radius_mm: not a length"),
        (lambda: Closing(-1.0), "Closing.radius_mm: not a length"),
    ],
)
def test_settings_without_sense_are_refused(make, text):
    with pytest.raises(ConfigError, match=text):
        make()


def test_a_yaml_names_the_steps():
    parser = ArgumentParser(exit_on_error=False)
    parser.add_argument("--steps", type=list[PostProcess])
    package = "lit_medseg.inference.post_process"
    steps = [
        {"class_path": f"{package}.largest_component.LargestComponent", "init_args": {"classes": ["organ"], "keep": 2}},
        {"class_path": f"{package}.opening.Opening", "init_args": {"radius_mm": 2, "together": True}},
    ]
    found = parser.instantiate(parser.parse_object({"steps": steps})).steps
    assert found[1] == Opening(2.0, together=True)
    assert (found[0].keep, tuple(found[0].classes)) == (2, ("organ",))
    steps[0]["init_args"]["kep"] = 1
    with pytest.raises(ArgumentError, match="kep"):
        parser.parse_object({"steps": steps})
