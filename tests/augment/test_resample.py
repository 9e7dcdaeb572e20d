import numpy as np
import pytest
import torch
from scipy.ndimage import map_coordinates

from lit_medseg.augment.elastic import Elastic
from lit_medseg.augment.geometry import Geometry, make_geometry
from lit_medseg.augment.resample import resampled
from lit_medseg.augment.rotation import Rotation, plane_rotation
from lit_medseg.augment.scaling import Scaling

GRIDS = [((40, 37), (13, 16)), ((24, 31, 27), (9, 12, 7)), ((24, 31, 27), (1, 12, 5))]


def drawn(size, seed=0, spacing=None, mirrored=()):
    generator = np.random.default_rng(seed)
    spacing = (1.0, 0.8, 1.7)[: len(size)] if spacing is None else spacing
    matrices = [Rotation(1.0).draw(generator, spacing), Scaling(1.0, (0.7, 1.2)).draw(generator, spacing)]
    control = Elastic(1.0, 6.0, (0.5, 1.5)).draw(generator, spacing, size)
    return make_geometry(size, spacing, matrices, control, mirrored)


def cut(geometry, corner, *volumes):
    """Take the box out of zero-padded volumes."""
    start, stop = geometry.box(corner)
    parts = []
    for volume in volumes:
        wide = np.pad(volume, [(0, 0), *[(60, 60)] * (volume.ndim - 1)])
        where = tuple(slice(first + 60, last + 60) for first, last in zip(start, stop, strict=True))
        parts.append(torch.from_numpy(np.ascontiguousarray(wide[(slice(None), *where)])))
    return geometry.offset(corner), *parts


def sources(geometry, corner):
    """Where every voxel comes from, in voxels of the volume, by the formula of the docstring."""
    size = geometry.size
    middle = (np.array(size) - 1) / 2
    places = np.stack(np.meshgrid(*map(np.arange, size), indexing="ij"), -1) - middle
    found = np.array(corner) + middle + places @ geometry.matrix.T
    if geometry.bend is not None:
        found = found + np.stack([field.numpy() for field in geometry.bend.field(size, torch.device("cpu"))], -1)
    return np.moveaxis(found, -1, 0)


@pytest.mark.parametrize(("grid", "size"), GRIDS)
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_equals_scipy(grid, size, seed):
    generator = np.random.default_rng(seed + 100)
    image = generator.standard_normal((3, *grid)).astype(np.float32)
    codes = generator.integers(0, 5, (2, *grid)).astype(np.uint8)
    geometry = drawn(size, seed, mirrored=(1,))
    corner = [int(generator.integers(-3, side - 4)) for side in grid]
    offset, box, mask = cut(geometry, corner, image, codes)
    patch, labels = resampled(geometry, offset, box, mask)
    assert patch.shape == (3, *size)
    assert labels.shape == (2, *size)
    assert labels.dtype == torch.uint8
    where = sources(geometry, corner)
    for channel, found in zip(image, patch, strict=True):
        wide = np.pad(channel, 40)
        np.testing.assert_allclose(map_coordinates(wide, where + 40, order=1), found, atol=2e-4)
    for plane, found in zip(codes, labels, strict=True):
        wide = np.pad(plane, 40)
        expected = wide[tuple(np.floor(axis + 40.5).astype(int) for axis in where)]
        # Sources half-way between voxels are rounded either way.
        assert (expected != found.numpy()).mean() < 2e-3


@pytest.mark.parametrize(("grid", "size"), GRIDS)
def test_identity_is_exact(grid, size):
    image = np.random.default_rng(0).standard_normal((2, *grid)).astype(np.float32)
    codes = (image[:1] > 0).astype(np.uint8)
    corner = [3] * len(grid)
    where = (slice(None), *(slice(3, 3 + side) for side in size))
    wanted = image[where] if len(size) == 2 or size[0] > 1 else image[:, 3:4, 3:15, 3:8]
    for geometry in (Geometry(size), make_geometry(size, (1.0,) * len(size), [np.eye(len(size))], None, ())):
        offset, box, mask = cut(geometry, corner, image, codes)
        patch, labels = resampled(geometry, offset, box, mask)
        np.testing.assert_array_equal(patch, wanted)
        np.testing.assert_array_equal(labels, wanted[:1] > 0)
    assert resampled(Geometry(size), [0] * len(size), torch.from_numpy(wanted), None)[0].data_ptr()


@pytest.mark.parametrize(("grid", "size"), GRIDS)
@pytest.mark.parametrize("through", ["flip", "matrix"])
def test_mirroring_is_exact(grid, size, through):
    image = np.random.default_rng(0).standard_normal((1, *grid)).astype(np.float32)
    matrices = [None] if through == "flip" else [np.eye(len(size))]
    geometry = make_geometry(size, (1.0,) * len(size), matrices, None, (0, 1))
    offset, box = cut(geometry, [4] * len(grid), image)
    wanted = image[(slice(None), *(slice(4, 4 + side) for side in size))]
    np.testing.assert_array_equal(resampled(geometry, offset, box, None)[0], np.flip(wanted, (1, 2)))


@pytest.mark.parametrize("spacing", [(1.0, 1.0, 1.0), (2.5, 1.0, 0.8)])
def test_a_known_rotation_moves_a_known_point_in_millimetres(spacing):
    size = (31, 41, 51)
    image = np.zeros((1, *size), np.float32)
    middle = (np.array(size) - 1) / 2
    point_mm = np.array([0.0, 10.0, 4.0])
    at = np.rint(middle + point_mm / spacing).astype(int)
    image[(0, *at)] = 1
    point_mm = (at - middle) * spacing
    matrix = plane_rotation(3, (1, 2), 40) @ plane_rotation(3, (0, 1), 25)
    geometry = make_geometry(size, spacing, [matrix], None, ())
    ball = np.linalg.norm((np.moveaxis(np.indices(size), 0, -1) - at) * spacing, axis=-1) < 4
    offset, box, mask = cut(geometry, (0, 0, 0), image, ball[None].astype(np.uint8))
    patch, labels = resampled(geometry, offset, box, mask)
    # A voxel shows what lies at the rotated place, so the point is seen at the place rotated back.
    expected_mm = matrix.T @ point_mm
    weights = patch[0].numpy()
    places = np.argwhere(weights > 0)
    seen_mm = (np.average(places, axis=0, weights=weights[tuple(places.T)]) - middle) * spacing
    assert np.abs(seen_mm - expected_mm).max() < 0.5 * max(spacing)
    voxels_mm = (np.argwhere(labels[0].numpy()) - middle) * spacing
    assert np.abs(voxels_mm.mean(0) - expected_mm).max() < 0.3
    # Still a ball of the same size, in millimetres.
    assert np.linalg.norm(voxels_mm - expected_mm, axis=1).max() < 4 + np.linalg.norm(spacing)
    assert labels.sum() == pytest.approx(ball.sum(), rel=0.1)


def test_turned_back_is_the_same_inside():
    rows, columns = np.mgrid[0:80, 0:90]
    image = (np.sin(rows / 9) + np.cos(columns / 7)).astype(np.float32)[None]
    there = make_geometry((80, 90), (1.0, 1.0), [plane_rotation(2, (0, 1), 33)], None, ())
    back = make_geometry((80, 90), (1.0, 1.0), [plane_rotation(2, (0, 1), -33)], None, ())
    offset, box = cut(there, (0, 0), image)
    turned = resampled(there, offset, box, None)[0].numpy()
    offset, box = cut(back, (0, 0), turned)
    again = resampled(back, offset, box, None)[0].numpy()
    middle = (0, slice(25, 55), slice(25, 65))
    assert np.abs(again[middle] - image[middle]).max() < 0.03


def test_image_and_mask_stay_together():
    # A smooth image whose sign is the mask: after any bend the sign still is, but for voxels next to the border.
    depth, rows, columns = np.mgrid[0:60, 0:64, 0:62]
    image = (np.sin(depth / 6) + np.sin(rows / 5) * np.cos(columns / 7)).astype(np.float32)[None]
    for seed in range(4):
        geometry = drawn((16, 18, 20), seed)
        offset, box, mask = cut(geometry, (22, 22, 22), image, (image > 0).astype(np.uint8))
        patch, labels = resampled(geometry, offset, box, mask)
        sure = patch.abs() > 0.35  # more than half a voxel changes
        assert sure.any()
        np.testing.assert_array_equal(labels[sure], patch[sure] > 0)


def test_many_planes_move_together():
    codes = np.random.default_rng(0).integers(0, 2, (1, 20, 20, 20)).astype(np.uint8) * 200
    geometry = drawn((9, 9, 9))
    offset, box, mask = cut(geometry, (5, 5, 5), codes.astype(np.float32), np.repeat(codes, 7, axis=0))
    _, labels = resampled(geometry, offset, box, mask)
    assert labels.shape == (7, 9, 9, 9)
    assert (labels == labels[:1]).all()
    assert set(labels.unique().tolist()) <= {0, 200}
