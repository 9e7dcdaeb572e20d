import numpy as np
import pytest
from scipy.interpolate import NdBSpline

from lit_medseg.augment.anisotropy import coarse_axes
from lit_medseg.augment.bspline import Bend, weight_matrix
from lit_medseg.augment.elastic import Elastic
from lit_medseg.augment.geometry import Geometry, make_geometry
from lit_medseg.augment.mirror import Mirror
from lit_medseg.augment.rotation import Rotation, plane_rotation, turning_planes
from lit_medseg.augment.scaling import Scaling
from lit_medseg.augment.shear import Shear
from lit_medseg.errors import ConfigError, DataError


def rng(seed=0):
    return np.random.default_rng(seed)


@pytest.mark.parametrize(
    ("spacing", "expected"),
    [((1, 1, 1), ()), ((3, 1, 1), ()), ((3.1, 1, 1), (0,)), ((1, 1), ()), ((5, 1, 4), (0, 2)), ((0.5, 0.5, 5), (2,))],
)
def test_coarse_axes(spacing, expected):
    assert coarse_axes(spacing) == expected


def test_rotations_are_rotations_and_stay_in_the_plane():
    turn = Rotation(1.0)
    for seed in range(50):
        free, flat = turn.draw(rng(seed), (1, 1, 1)), turn.draw(rng(seed), (5, 1, 1))
        for matrix in (free, flat, turn.draw(rng(seed), (1, 1))):
            np.testing.assert_allclose(matrix @ matrix.T, np.eye(len(matrix)), atol=1e-12)
            assert np.linalg.det(matrix) == pytest.approx(1)
        np.testing.assert_array_equal(flat[0], [1, 0, 0])
        np.testing.assert_array_equal(flat[:, 0], [1, 0, 0])
        assert abs(free[0, 1]) > 0
    assert turning_planes((5, 1, 5)) == []
    np.testing.assert_array_equal(turn.draw(rng(), (5, 1, 5)), np.eye(3))


def test_angles_fill_their_range():
    narrow = [Rotation(1.0, in_plane_degrees=(10, 20)).draw(rng(seed), (1, 1)) for seed in range(500)]
    angles = [np.degrees(np.arctan2(matrix[1, 0], matrix[0, 0])) for matrix in narrow]
    assert 10 <= min(angles) < 10.3
    assert 19.7 < max(angles) <= 20
    assert np.mean(angles) == pytest.approx(15, abs=0.5)


@pytest.mark.parametrize("part", [Rotation(0.3), Scaling(0.3), Shear(0.3)])
def test_probability(part):
    generator = rng(1)
    drawn = [part.draw(generator, (1, 1, 1)) is not None for _ in range(4000)]
    assert np.mean(drawn) == pytest.approx(0.3, abs=0.03)
    never, always = type(part)(0.0), type(part)(1.0)
    assert never.draw(rng(), (1, 1, 1)) is None
    assert always.draw(rng(), (1, 1, 1)) is not None


def test_scaling_keeps_its_range():
    factors = [Scaling(1.0).draw(rng(seed), (1, 1, 1)) for seed in range(500)]
    assert all((matrix == matrix[0, 0] * np.eye(3)).all() for matrix in factors)
    values = [matrix[0, 0] for matrix in factors]
    assert 0.7 <= min(values) < 0.71
    assert 1.39 < max(values) <= 1.4
    free = Scaling(1.0, per_axis=True).draw(rng(), (1, 1, 1))
    assert len(set(np.diag(free))) == 3


def test_shear_keeps_volume_and_leaves_coarse_axes():
    matrix = Shear(1.0, (0.2, 0.3)).draw(rng(), (1, 1, 1))
    assert np.linalg.det(matrix) == pytest.approx(1)
    assert np.triu(matrix, 1)[np.triu_indices(3, 1)].min() >= 0.2
    np.testing.assert_array_equal(Shear(1.0).draw(rng(), (5, 1, 1))[0], [1, 0, 0])


def test_mirror_draws_axes_apart():
    generator = rng()
    drawn = [Mirror().draw(generator, 3) for _ in range(2000)]
    assert {axes: drawn.count(axes) for axes in set(drawn)}.keys() == {
        (), (0,), (1,), (2,), (0, 1), (0, 2), (1, 2), (0, 1, 2)
    }  # fmt: skip
    assert sum(1 in axes for axes in drawn) / 2000 == pytest.approx(0.5, abs=0.04)
    assert Mirror(1.0, (0, 2)).draw(rng(), 3) == (0, 2)
    assert Mirror(1.0, (0, 2)).draw(rng(), 2) == (0,)


@pytest.mark.parametrize("spacing", [(1.0, 1.0, 1.0), (3.0, 0.7, 1.2)])
@pytest.mark.parametrize("size", [(8, 9, 10), (1, 5, 6), (7, 7, 7)])
def test_the_box_holds_every_source(size, spacing):
    for seed in range(30):
        generator = rng(seed)
        matrices = [Rotation(1.0).draw(generator, spacing), Scaling(1.0).draw(generator, spacing)]
        control = Elastic(1.0, 10, (1, 3)).draw(generator, spacing, size)
        geometry = make_geometry(size, spacing, matrices, control, (1,))
        corner = generator.integers(0, 50, 3)
        start, stop = geometry.box(corner)
        voxels = np.stack(np.meshgrid(*map(np.arange, size), indexing="ij"), -1) - (np.array(size) - 1) / 2
        source = corner + (np.array(size) - 1) / 2 + voxels @ geometry.matrix.T
        displacement = [field.numpy() for field in control.field(size, "cpu")]
        source = (source + np.stack(displacement, -1)).reshape(-1, 3)
        assert (source.min(0) >= start).all()
        assert (source.max(0) <= np.array(stop) - 1).all()
        centre = np.array(start) + geometry.offset(corner)
        np.testing.assert_allclose(centre, corner + (np.array(size) - 1) / 2)


def test_nothing_drawn_is_exact():
    geometry = make_geometry((4, 5), (1, 1), [None, None], None, (1,))
    assert geometry == Geometry((4, 5), (1,))
    assert geometry.exact
    assert geometry.box((2, -1)) == ((2, -1), (6, 4))


def test_matrices_act_in_millimetres():
    turn = plane_rotation(2, (0, 1), 90)
    geometry = make_geometry((9, 9), (2.0, 0.5), [turn], None, ())
    # 4 voxels of 0.5 mm along the second axis come from 1 voxel of 2 mm along the first.
    np.testing.assert_allclose(geometry.matrix @ [0, 4], [-1, 0], atol=1e-12)


def test_order_of_matrices():
    turn, lean, stretch = plane_rotation(2, (0, 1), 30), np.array([[1, 0.2], [0, 1]]), np.diag([2.0, 3.0])
    geometry = make_geometry((4, 4), (1, 1), [turn, lean, stretch], None, ())
    np.testing.assert_allclose(geometry.matrix, turn @ lean @ stretch)


def test_other_axes_are_refused():
    with pytest.raises(DataError, match="patch: other axes than the image, expected 3, got 2"):
        make_geometry((4, 4), (1, 1, 1), [None], None, ())


def test_splines_sum_to_one_and_reproduce_lines():
    for side, points, step in ((1, 4, 0.3), (5, 4, 0.25), (33, 7, 0.12)):
        weights = weight_matrix(side, points, step)
        np.testing.assert_allclose(weights.sum(1), 1)
        # Schoenberg: a spline through the points of a line is the line.
        line = weights @ np.arange(points)
        np.testing.assert_allclose(line, np.arange(side) * step + 1, atol=1e-12)


def test_bends_do_not_fold():
    size, worst = (24, 20, 22), []
    for seed in range(12):
        control_mm = 6.0 if seed % 2 else 30.0
        bend = Elastic(1.0, control_mm, (0.4 * control_mm, 0.4 * control_mm)).draw(rng(seed), (1, 1, 1), size)
        if seed > 5:  # as far as they can go, in turns
            bend = Bend(np.where(bend.control > 0, 1, -1) * 0.4 * control_mm, bend.steps)
        moved = np.stack([field.numpy() for field in bend.field(size, "cpu")], -1).astype(np.float64)
        assert (np.abs(moved).reshape(-1, 3).max(0) <= bend.reach * (1 + 1e-6)).all()
        jacobian = np.stack(np.gradient(moved, axis=(0, 1, 2)), -1) + np.eye(3)
        worst.append(np.linalg.det(jacobian).min())
    assert min(worst) > 0
    assert not Elastic(1.0).draw(rng(), (5, 1, 1), size).control[0].any()


def test_bends_equal_scipy():
    bend = Elastic(1.0, 5.0, (1, 2)).draw(rng(), (1.0, 0.5), (20, 30))
    for control, field in zip(bend.control, bend.field((20, 30), "cpu"), strict=True):
        spline = NdBSpline(tuple(np.arange(side + 4.0) - 3 for side in control.shape), control, k=3)
        places = np.stack(np.meshgrid(np.arange(20) / 5, np.arange(30) * 0.5 / 5, indexing="ij"), -1)
        np.testing.assert_allclose(field, spline(places), atol=1e-5)


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda: Rotation(1.5), "Rotation.probability: not a probability, expected 0 to 1, got 1.5"),
        (lambda: Rotation(degrees=(20, 10)), "Rotation.degrees: not a range"),
        (lambda: Scaling(factor=(0, 1)), "Scaling.factor"),
        (lambda: Shear(slope=(-2, 0)), "Shear.slope"),
        (
            lambda: Elastic(control_mm=10, displacement_mm=(0, 5)),
            "Elastic.displacement_mm: folds space, expected at mo",
        ),
        (lambda: Mirror(axes=(3,)), "Mirror.axes"),
    ],
)
def test_refusals(make, text):
    with pytest.raises(ConfigError, match=text):
        make()
